/**
 * The state of a login while the browser is at the issuer, in the session storage of this tab. None of it is a
 * credential: the verifier is useless without the code that the issuer sends back, and both can be used once.
 */

export interface PendingLogin {
  readonly issuer: string;
  readonly verifier: string;
  readonly state: string;
  readonly nonce: string;
  /** The page to return to. */
  readonly page: string;
  /** Whether the issuer was asked to show no page. */
  readonly silent: boolean;
  readonly begun: number;
}

const PENDING_KEY = "ioc.login.pending";
const ISSUER_KEY = "ioc.login.issuer";

/** How long a person may take at the issuer, in milliseconds. */
const PENDING_LIFETIME = 15 * 60_000;

export function storePending(pending: PendingLogin) {
  sessionStorage.setItem(PENDING_KEY, JSON.stringify(pending));
}

/** Takes the pending login. It can be taken once. */
export function takePending(now = Date.now()): PendingLogin | null {
  const text = sessionStorage.getItem(PENDING_KEY);
  sessionStorage.removeItem(PENDING_KEY);
  if (!text) return null;
  try {
    const pending = JSON.parse(text) as PendingLogin;
    return now - pending.begun < PENDING_LIFETIME ? { ...pending, page: sameOriginPage(pending.page) } : null;
  } catch {
    return null;
  }
}

/** Returns the page if it is one of the dashboard, and the overview otherwise. */
export function sameOriginPage(page: unknown): string {
  return typeof page === "string" && /^\/(?![/\\])/.test(page) && !page.startsWith("/login") ? page : "/";
}

/** The issuer that this tab used last, for a silent login after a reload. Only its identifier is stored. */
export const lastIssuer = {
  remember: (issuer: string) => sessionStorage.setItem(ISSUER_KEY, issuer),
  /** The issuer can be taken once: if the silent login fails, the next reload asks the person. */
  take(): string | null {
    const issuer = sessionStorage.getItem(ISSUER_KEY);
    sessionStorage.removeItem(ISSUER_KEY);
    return issuer;
  },
  forget: () => sessionStorage.removeItem(ISSUER_KEY),
};
