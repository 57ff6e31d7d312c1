import { credential } from "@/api/credential";
import { lastIssuer } from "./pending";

/** Signs out here, and at the issuer where there is one that can. */
export async function leave() {
  const login = credential.get()?.login;
  lastIssuer.forget();
  if (!login) return credential.signOut();
  credential.signOut(`You are signed out here, and being signed out at ${login.issuer}.`);
  if (await login.end()) return;
  credential.ask(
    `You are signed out here. ${login.issuer} may still know you: it has no logout that this page could call.`,
  );
}
