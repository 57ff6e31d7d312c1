/**
 * Who we call as. It lives in this module's memory alone: no storage, no cookie, nothing that another page or a later
 * visitor of this browser could read. A reload asks for it again.
 */

/** What keeps a credential good that an issuer gave: a key has none of it. */
export interface Login {
  /** What people call the issuer. */
  readonly issuer: string;
  /** Renews the token where it is about to end and can be renewed. */
  fresh(): Promise<void>;
  /** Ends the login at the issuer too; true where the page is left for that. */
  end(): Promise<boolean>;
  /** It is no longer ours to renew. */
  stop(): void;
}

export interface Credential {
  /** An API key, or a token of an issuer. */
  readonly key: string;
  /** Which sign-in this is: a renewed token belongs to the same one. */
  readonly serial: number;
  /** The tenant that an admin has switched to: its slug or id. Absent: the credential's own. */
  readonly tenant?: string;
  readonly login?: Login;
}

type Listener = () => void;

let current: Credential | null = null;
let lost: string | null = null;
let serial = 0;
const listeners = new Set<Listener>();

function tell() {
  for (const listener of listeners) listener();
}

export const credential = {
  get: () => current,
  /** The same, with a token that does not end just now. */
  async fresh(): Promise<Credential | null> {
    await current?.login?.fresh();
    return current;
  },
  /** Why the last one was given up, for the sign-in page to say. */
  reason: () => lost,
  subscribe(listener: Listener) {
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
    };
  },
  signIn(key: string, login?: Login) {
    current?.login?.stop();
    serial += 1;
    current = { key, serial, ...(login && { login }) };
    lost = null;
    tell();
  },
  /** Puts a new token in the place of the last one of the same login. */
  renew(login: Login, key: string) {
    if (current?.login !== login) return;
    current = { ...current, key };
    tell();
  },
  switchTenant(tenant: string | undefined) {
    if (!current) return;
    const { tenant: _last, ...own } = current;
    current = tenant ? { ...own, tenant } : own;
    tell();
  },
  signOut(reason: string | null = null) {
    if (!current) return;
    current.login?.stop();
    current = null;
    lost = reason;
    tell();
  },
  /** The API takes it no more; of a key the words say why. */
  refused(words: string) {
    const issuer = current?.login?.issuer;
    this.signOut(
      issuer
        ? `Your login at ${issuer} is no longer accepted: it has ended, or you or your tenant were deactivated.`
        : words,
    );
  },
  /** Nobody is signed in, and the sign-in page says why. */
  ask(reason: string) {
    if (current) return;
    lost = reason;
    tell();
  },
};

/** Takes the key out of an address such as `/#key=ioc_...`, as `make up` prints it, and out of the history at once. */
export function takeFromAddress(location: Location, history: History): string | null {
  const key = new URLSearchParams(location.hash.replace(/^#/, "")).get("key");
  if (!key) return null;
  history.replaceState(history.state, "", location.pathname + location.search);
  return key;
}
