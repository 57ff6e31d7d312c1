import { credential, type LoginSession } from "@/api/credential";
import { LoginError } from "./login-error";

/** The tokens of a login. */
export interface IssuerTokens {
  /** The token for the API. */
  readonly key: string;
  /** Its lifetime in seconds, or null if unknown. */
  readonly lifetime: number | null;
  readonly refresh?: string;
  /** The ID token that tells the issuer which login to end. */
  readonly hint?: string;
}

export interface IssuerCalls {
  renew(tokens: IssuerTokens): Promise<IssuerTokens>;
  end(tokens: IssuerTokens): Promise<boolean>;
}

/** How long before its expiry a token is renewed, in milliseconds. For short-lived tokens, a quarter of the lifetime. */
const RENEWAL_MARGIN = 60_000;
/** A token that expires sooner than this is not used, in milliseconds. */
const EXPIRY_SLACK = 5_000;
/** The delay before renewal is retried, in milliseconds. */
const RENEWAL_RETRY_DELAY = 5_000;
/** The longest timer, in milliseconds. Browsers limit timers to 24 days, and suspend them while the machine sleeps. */
const TIMER_MAX = 60 * 60_000;

/** A login while the page is open. It renews its token if the issuer allows it, and ends when the token expires. */
export class IssuerSession implements LoginSession {
  #tokens: IssuerTokens;
  #due = Number.POSITIVE_INFINITY;
  #ends = Number.POSITIVE_INFINITY;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #renewing: Promise<void> | null = null;
  #stopped = false;

  constructor(
    readonly issuer: string,
    tokens: IssuerTokens,
    private readonly calls: IssuerCalls,
  ) {
    this.#tokens = tokens;
    this.#take(tokens);
  }

  async fresh() {
    if (this.#stopped) return;
    if (Date.now() >= this.#due) {
      const renewing = this.#renewOnce();
      // Calls do not wait for the issuer while the token is valid.
      if (Date.now() >= this.#ends - EXPIRY_SLACK) await renewing;
    }
    if (!this.#renewable && Date.now() >= this.#ends) this.#end();
    this.#sleep();
  }

  end() {
    return this.calls.end(this.#tokens);
  }

  stop() {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** While renewal is possible, only the API ends the login. A network outage does not. */
  get #renewable(): boolean {
    return Number.isFinite(this.#due);
  }

  #take(tokens: IssuerTokens) {
    this.#tokens = tokens;
    const life = tokens.lifetime === null ? Number.POSITIVE_INFINITY : tokens.lifetime * 1000;
    this.#ends = Date.now() + life;
    this.#due = tokens.refresh ? this.#ends - Math.min(RENEWAL_MARGIN, life / 4) : Number.POSITIVE_INFINITY;
    this.#sleep();
  }

  #sleep() {
    clearTimeout(this.#timer);
    const next = this.#renewable ? this.#due : this.#ends;
    if (this.#stopped || this.#renewing || !Number.isFinite(next)) return;
    const wait = Math.min(Math.max(next - Date.now(), 0), TIMER_MAX);
    this.#timer = setTimeout(() => void this.fresh(), wait);
  }

  #renewOnce(): Promise<void> {
    this.#renewing ??= this.#renew().finally(() => {
      this.#renewing = null;
      this.#sleep();
    });
    return this.#renewing;
  }

  async #renew() {
    try {
      const tokens = await this.calls.renew(this.#tokens);
      if (this.#stopped) return;
      this.#take(tokens);
      credential.renew(this, tokens.key);
    } catch (error) {
      // After a permanent refusal, the current token is used until it expires.
      this.#due =
        error instanceof LoginError && error.isTemporary ? Date.now() + RENEWAL_RETRY_DELAY : Number.POSITIVE_INFINITY;
    }
  }

  #end() {
    if (this.#stopped) return;
    credential.signOut(`Your login at ${this.issuer} has ended. Log in again to continue.`);
  }
}
