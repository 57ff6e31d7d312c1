/**
 * Who we call as. It lives in this module's memory alone: no storage, no cookie, nothing that another page or a later
 * visitor of this browser could read. A reload asks for it again.
 */

export interface Credential {
  readonly key: string;
  /** The tenant that an admin has switched to: its slug or id. Absent: the key's own. */
  readonly tenant?: string;
}

type Listener = () => void;

let current: Credential | null = null;
let lost: string | null = null;
const listeners = new Set<Listener>();

function tell() {
  for (const listener of listeners) listener();
}

export const credential = {
  get: () => current,
  /** Why the last one was given up, for the sign-in page to say. */
  reason: () => lost,
  subscribe(listener: Listener) {
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
    };
  },
  signIn(key: string) {
    current = { key };
    lost = null;
    tell();
  },
  switchTenant(tenant: string | undefined) {
    if (!current) return;
    current = tenant ? { key: current.key, tenant } : { key: current.key };
    tell();
  },
  signOut(reason: string | null = null) {
    if (!current) return;
    current = null;
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
