import { credential, type Login } from "@/api/credential";
import { LoginFailed } from "./failed";

/** What an issuer gave. */
export interface Tokens {
  /** The one that the API takes. */
  readonly key: string;
  /** How long it is good, in seconds; null: it does not say. */
  readonly lifetime: number | null;
  readonly refresh?: string;
  /** Says to the issuer whose login is to end. */
  readonly hint?: string;
}

export interface IssuerCalls {
  renew(tokens: Tokens): Promise<Tokens>;
  end(tokens: Tokens): Promise<boolean>;
}

/** At the latest this long before its end a token is renewed, in milliseconds; one that is good for less earlier still. */
const MARGIN = 60_000;
/** One that is good for less than this is not called with. */
const SLACK = 5_000;
/** How soon an issuer that did not answer is asked again. */
const RETRY = 5_000;
/** Timers do not count further than 24 days, and stand still while a laptop sleeps. */
const LONGEST_SLEEP = 60 * 60_000;

/** A login for as long as the page is open: renewed where the issuer allows it, and given up when its time is over. */
export class Session implements Login {
  #tokens: Tokens;
  #due = Number.POSITIVE_INFINITY;
  #ends = Number.POSITIVE_INFINITY;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #renewing: Promise<void> | null = null;
  #stopped = false;

  constructor(
    readonly issuer: string,
    tokens: Tokens,
    private readonly calls: IssuerCalls,
  ) {
    this.#tokens = tokens;
    this.#take(tokens);
  }

  async fresh() {
    if (this.#stopped) return;
    if (Date.now() >= this.#due) {
      const renewing = this.#renewOnce();
      // Nobody waits for an issuer while the token is good.
      if (Date.now() >= this.#ends - SLACK) await renewing;
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

  /** As long as it may still be renewed, it is for the API to say that it has ended: a network that is away has not. */
  get #renewable(): boolean {
    return Number.isFinite(this.#due);
  }

  #take(tokens: Tokens) {
    this.#tokens = tokens;
    const life = tokens.lifetime === null ? Number.POSITIVE_INFINITY : tokens.lifetime * 1000;
    this.#ends = Date.now() + life;
    this.#due = tokens.refresh ? this.#ends - Math.min(MARGIN, life / 4) : Number.POSITIVE_INFINITY;
    this.#sleep();
  }

  #sleep() {
    clearTimeout(this.#timer);
    const next = this.#renewable ? this.#due : this.#ends;
    if (this.#stopped || this.#renewing || !Number.isFinite(next)) return;
    const wait = Math.min(Math.max(next - Date.now(), 0), LONGEST_SLEEP);
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
      // Refused for good: what there is is good until its own end.
      this.#due = error instanceof LoginFailed && error.passes ? Date.now() + RETRY : Number.POSITIVE_INFINITY;
    }
  }

  #end() {
    if (this.#stopped) return;
    credential.signOut(`Your login at ${this.issuer} has ended. Log in again to go on where you were.`);
  }
}
