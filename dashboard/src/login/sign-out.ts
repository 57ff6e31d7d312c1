import { credential } from "@/api/credential";
import { lastIssuer } from "./pending-login";

/** Signs out here, and at the issuer if it supports that. */
export async function signOut() {
  const login = credential.get()?.login;
  lastIssuer.forget();
  if (!login) return credential.signOut();
  credential.signOut(`You are signed out here, and are being signed out at ${login.issuer}.`);
  if (await login.end()) return;
  credential.ask(
    `You are signed out here. ${login.issuer} may still have a session for you, because it has no logout page.`,
  );
}
