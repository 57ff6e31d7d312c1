/**
 * The credential for calls to the API. It is kept in the memory of this module only, and in no storage or cookie that
 * another page or a later user of this browser could read. A reload asks for it again.
 */

/** Renews a credential that an issuer gave. An API key has none. */
export interface LoginSession {
  /** The display name of the issuer. */
  readonly issuer: string;
  /** Renews the token if it is about to expire and can be renewed. */
  fresh(): Promise<void>;
  /** Ends the login at the issuer too. Returns true if the browser leaves the page for that. */
  end(): Promise<boolean>;
  /** Stops the renewal. */
  stop(): void;
}

export interface Credential {
  /** An API key, or a token of an issuer. */
  readonly key: string;
  /** The number of the sign-in. A renewed token keeps it. */
  readonly serial: number;
  /** The slug or id of the tenant that an admin has switched to. Absent for the credential's own. */
  readonly tenant?: string;
  readonly login?: LoginSession;
}

type Listener = () => void;

let currentCredential: Credential | null = null;
let signOutReason: string | null = null;
let serial = 0;
const listeners = new Set<Listener>();

function notifyListeners() {
  for (const listener of listeners) listener();
}

export const credential = {
  get: () => currentCredential,
  /** The credential, with its token renewed if it is about to expire. */
  async fresh(): Promise<Credential | null> {
    await currentCredential?.login?.fresh();
    return currentCredential;
  },
  /** Why the last sign-in ended, for the sign-in page. */
  reason: () => signOutReason,
  subscribe(listener: Listener) {
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
    };
  },
  signIn(key: string, login?: LoginSession) {
    currentCredential?.login?.stop();
    serial += 1;
    currentCredential = { key, serial, ...(login && { login }) };
    signOutReason = null;
    notifyListeners();
  },
  /** Replaces the token of the current login. */
  renew(login: LoginSession, key: string) {
    if (currentCredential?.login !== login) return;
    currentCredential = { ...currentCredential, key };
    notifyListeners();
  },
  switchTenant(tenant: string | undefined) {
    if (!currentCredential) return;
    const { tenant: _last, ...own } = currentCredential;
    currentCredential = tenant ? { ...own, tenant } : own;
    notifyListeners();
  },
  signOut(reason: string | null = null) {
    if (!currentCredential) return;
    currentCredential.login?.stop();
    currentCredential = null;
    signOutReason = reason;
    notifyListeners();
  },
  /** Signs out because the API rejected the credential. `words` is the reason in the case of a key. */
  refused(words: string) {
    const issuer = currentCredential?.login?.issuer;
    this.signOut(
      issuer
        ? `Your login at ${issuer} is no longer accepted: it has ended, or you or your tenant were deactivated.`
        : words,
    );
  },
  /** Sets the reason that the sign-in page shows, unless somebody is signed in. */
  ask(reason: string) {
    if (currentCredential) return;
    signOutReason = reason;
    notifyListeners();
  },
};

/** Removes the key from an address such as `/#key=ioc_...`, to which the link of `make up` leads, and from the history. */
export function takeKeyFromAddress(location: Location, history: History): string | null {
  const key = new URLSearchParams(location.hash.replace(/^#/, "")).get("key");
  if (!key) return null;
  history.replaceState(history.state, "", location.pathname + location.search);
  return key;
}
