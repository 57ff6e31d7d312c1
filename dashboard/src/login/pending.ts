/**
 * What has to outlive the way to the issuer and back, in this tab alone. None of it is a credential: the verifier is of no
 * use without the code that the issuer sends back, and both are used once.
 */

export interface Pending {
  readonly issuer: string;
  readonly verifier: string;
  readonly state: string;
  readonly nonce: string;
  /** The page to come back to. */
  readonly page: string;
  /** Whether the issuer was asked to show nothing. */
  readonly silent: boolean;
  readonly begun: number;
}

const PENDING = "ioc.login.pending";
const ISSUER = "ioc.login.issuer";

/** How long somebody may take at the issuer. */
const LONGEST = 15 * 60_000;

export function keep(pending: Pending) {
  sessionStorage.setItem(PENDING, JSON.stringify(pending));
}

/** What is under way, which is then gone. */
export function takePending(now = Date.now()): Pending | null {
  const text = sessionStorage.getItem(PENDING);
  sessionStorage.removeItem(PENDING);
  if (!text) return null;
  try {
    const pending = JSON.parse(text) as Pending;
    return now - pending.begun < LONGEST ? { ...pending, page: ownPage(pending.page) } : null;
  } catch {
    return null;
  }
}

/** A page of ours, whatever was asked for. */
export function ownPage(page: unknown): string {
  return typeof page === "string" && /^\/(?![/\\])/.test(page) && !page.startsWith("/login") ? page : "/";
}

/** Where this tab was logged in last, so that a reload can ask there again: only its name is kept. */
export const lastIssuer = {
  remember: (issuer: string) => sessionStorage.setItem(ISSUER, issuer),
  /** Once: if it comes to nothing, the next reload asks the person. */
  take(): string | null {
    const issuer = sessionStorage.getItem(ISSUER);
    sessionStorage.removeItem(ISSUER);
    return issuer;
  },
  forget: () => sessionStorage.removeItem(ISSUER),
};
