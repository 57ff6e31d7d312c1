/**
 * The authorization code flow with PKCE, as a public client. Only who logs in at an issuer loads this.
 *
 * The ID token comes from the issuer itself, by TLS; its signature is for the API to check, which it does on every call.
 */
import * as oauth from "oauth4webapi";
import { credential } from "@/api/credential";
import type { LoginIssuer } from "@/api/schema";
import { claimsOf, insecure, misunderstood, notTaken, refusedBy, SILENT, strayed, unreachable } from "./failed";
import { issuers } from "./issuers";
import { keep, lastIssuer, ownPage, takePending } from "./pending";
import { Session, type Tokens } from "./session";
import { letIn } from "./taken";

/** How long an issuer may take to answer. */
const TIMEOUT = 10_000;
/** The clocks of browsers are off by more than those of servers; the API looks at the times by its own. */
const TOLERANCE = 300;

/** Where the issuer sends people back to: what has to be registered with it. */
export function backHere(): string {
  return `${location.origin}/login/`;
}

interface Known {
  readonly issuer: LoginIssuer;
  readonly server: oauth.AuthorizationServer;
  readonly client: oauth.Client;
}

/** Plain http is for an issuer on this machine, which the API allows nowhere else either. */
const plain = (issuer: LoginIssuer) => new URL(issuer.issuer).protocol === "http:";

function options(issuer: LoginIssuer) {
  return { [oauth.allowInsecureRequests]: plain(issuer), signal: AbortSignal.timeout(TIMEOUT) };
}

/** What went wrong between us and an issuer, in words for people. */
async function explained<Result>(issuer: LoginIssuer, run: () => Promise<Result>): Promise<Result> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof oauth.AuthorizationResponseError || error instanceof oauth.ResponseBodyError)
      throw refusedBy(issuer, error.error, error.error_description);
    if (error instanceof oauth.OperationProcessingError || error instanceof oauth.UnsupportedOperationError)
      throw misunderstood(issuer, error.message);
    if (error instanceof TypeError || error instanceof DOMException) throw unreachable(issuer);
    throw error;
  }
}

async function discover(issuer: LoginIssuer): Promise<Known> {
  const url = new URL(issuer.issuer);
  const answer = await oauth.discoveryRequest(url, options(issuer));
  // A gateway in front of it says so in its own words.
  if (answer.status >= 500) throw unreachable(issuer);
  const server = await oauth.processDiscoveryResponse(url, answer);
  const client = { client_id: issuer.client_id, [oauth.clockTolerance]: TOLERANCE };
  return { issuer, server, client };
}

/** Leaves for the issuer. `none` asks it to show nothing, `login` to ask who it is. */
export async function begin(issuer: LoginIssuer, page: string, prompt?: "none" | "login") {
  if (!isSecureContext) throw insecure();
  const { server, client } = await explained(issuer, () => discover(issuer));
  if (!server.authorization_endpoint) throw misunderstood(issuer, "it names no authorization_endpoint");
  const [verifier, state, nonce] = [
    oauth.generateRandomCodeVerifier(),
    oauth.generateRandomState(),
    oauth.generateRandomNonce(),
  ];
  const url = new URL(server.authorization_endpoint);
  const said = {
    ...issuer.parameters,
    client_id: client.client_id,
    redirect_uri: backHere(),
    response_type: "code",
    scope: issuer.scopes.join(" "),
    state,
    nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    ...(prompt && { prompt }),
  };
  for (const [name, value] of Object.entries(said)) url.searchParams.set(name, value);
  keep({
    issuer: issuer.issuer,
    verifier,
    state,
    nonce,
    page: ownPage(page),
    silent: prompt === "none",
    begun: Date.now(),
  });
  location.assign(url);
}

/** Asks an issuer again without showing anything, by its identifier; false where it is no longer offered. */
export async function resume(identifier: string, page: string): Promise<boolean> {
  const issuer = (await issuers()).find((one) => one.issuer === identifier);
  if (!issuer) return false;
  await begin(issuer, page, "none");
  return true;
}

/** What came of it: the page to go to, and for a login that was not to show anything why it has to. */
export interface Completed {
  readonly page: string;
  readonly error?: unknown;
}

/** Takes what the issuer sent back, and signs in by it. */
export async function complete(answer: URL): Promise<Completed> {
  const pending = takePending();
  if (!pending) return { page: "/", error: strayed() };
  const { page } = pending;
  try {
    const issuer = (await issuers()).find((one) => one.issuer === pending.issuer);
    if (!issuer || answer.searchParams.get("state") !== pending.state) throw strayed();
    if (pending.silent && SILENT.has(answer.searchParams.get("error") ?? "")) {
      credential.ask(`You have no session at ${issuer.name} any more. Log in again to go on where you were.`);
      return { page };
    }
    const { known, tokens } = await explained(issuer, async () => {
      const known = await discover(issuer);
      const code = oauth.validateAuthResponse(known.server, known.client, answer, pending.state);
      const request = { ...options(issuer), additionalParameters: issuer.parameters };
      const { server, client } = known;
      const sent = oauth.authorizationCodeGrantRequest(
        server,
        client,
        oauth.None(),
        code,
        backHere(),
        pending.verifier,
        request,
      );
      const read = { expectedNonce: pending.nonce, requireIdToken: true };
      const given = await oauth.processAuthorizationCodeResponse(server, client, await sent, read);
      return { known, tokens: tokensOf(issuer, given) };
    });
    if (!(await letIn(tokens.key))) throw notTaken(issuer, tokens.key);
    credential.signIn(
      tokens.key,
      new Session(issuer.name, tokens, {
        renew: (last) => renew(known, last),
        end: (last) => end(known, last),
      }),
    );
    lastIssuer.remember(issuer.issuer);
    return { page };
  } catch (error) {
    return { page, error };
  }
}

/** What the API is sent, and how long it is good by its own words. */
function tokensOf(issuer: LoginIssuer, given: oauth.TokenEndpointResponse, last?: Tokens): Tokens {
  const key = issuer.token === "id_token" ? given.id_token : given.access_token;
  if (!key) throw misunderstood(issuer, "it renews no ID token");
  const claims = claimsOf(key);
  const { exp, iat } = claims ?? {};
  const said = typeof exp === "number" && typeof iat === "number" ? exp - iat : null;
  const lifetime = issuer.token === "access_token" ? (given.expires_in ?? said) : said;
  const [refresh, hint] = [given.refresh_token ?? last?.refresh, given.id_token ?? last?.hint];
  return { key, lifetime, ...(refresh && { refresh }), ...(hint && { hint }) };
}

async function renew(known: Known, last: Tokens): Promise<Tokens> {
  const { issuer, server, client } = known;
  return explained(issuer, async () => {
    const request = { ...options(issuer), additionalParameters: issuer.parameters };
    const sent = oauth.refreshTokenGrantRequest(server, client, oauth.None(), last.refresh ?? "", request);
    const given = await oauth.processRefreshTokenResponse(server, client, await sent);
    return tokensOf(issuer, given, last);
  });
}

/** Withdraws what can be renewed, and leaves for the issuer's own logout where it has one. */
async function end(known: Known, last: Tokens): Promise<boolean> {
  const { issuer, server, client } = known;
  lastIssuer.forget();
  if (last.refresh && server.revocation_endpoint) {
    const sent = oauth.revocationRequest(server, client, oauth.None(), last.refresh, options(issuer));
    // It is gone from this page in any case.
    await sent.catch(() => undefined);
  }
  if (!server.end_session_endpoint) return false;
  const url = new URL(server.end_session_endpoint);
  if (last.hint) url.searchParams.set("id_token_hint", last.hint);
  url.searchParams.set("client_id", client.client_id);
  url.searchParams.set("post_logout_redirect_uri", backHere());
  url.searchParams.set("state", "signed-out");
  location.assign(url);
  return true;
}
