/**
 * The authorization code flow with PKCE, as a public client. It is loaded only when somebody logs in at an issuer.
 *
 * The ID token comes directly from the issuer over TLS. The API verifies its signature on every call.
 */
import * as oauth from "oauth4webapi";
import { credential } from "@/api/credential";
import type { LoginIssuer } from "@/api/schema";
import { IssuerSession, type IssuerTokens } from "./issuer-session";
import { fetchIssuers } from "./issuers";
import {
  decodeClaims,
  expiredLoginError,
  INTERACTION_REQUIRED,
  insecurePageError,
  invalidResponseError,
  oauthError,
  rejectedTokenError,
  unreachableIssuerError,
} from "./login-error";
import { lastIssuer, sameOriginPage, storePending, takePending } from "./pending-login";
import { isTokenAccepted } from "./verify-credential";

/** How long an issuer may take to respond, in milliseconds. */
const TIMEOUT = 10_000;
/** Accepted clock skew, in seconds. Clocks of browsers are less exact than those of servers, and the API checks too. */
const TOLERANCE = 300;

/** The redirect URI, which has to be registered with the issuer. */
export function redirectUri(): string {
  return `${location.origin}/login/`;
}

interface DiscoveredIssuer {
  readonly issuer: LoginIssuer;
  readonly server: oauth.AuthorizationServer;
  readonly client: oauth.Client;
}

/** Plain HTTP is only for an issuer on this machine. The API allows no other either. */
const usesPlainHttp = (issuer: LoginIssuer) => new URL(issuer.issuer).protocol === "http:";

function requestOptions(issuer: LoginIssuer) {
  return { [oauth.allowInsecureRequests]: usesPlainHttp(issuer), signal: AbortSignal.timeout(TIMEOUT) };
}

/** Converts errors of the protocol to a `LoginError`. */
async function withLoginErrors<Result>(issuer: LoginIssuer, run: () => Promise<Result>): Promise<Result> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof oauth.AuthorizationResponseError || error instanceof oauth.ResponseBodyError)
      throw oauthError(issuer, error.error, error.error_description);
    if (error instanceof oauth.OperationProcessingError || error instanceof oauth.UnsupportedOperationError)
      throw invalidResponseError(issuer, error.message);
    if (error instanceof TypeError || error instanceof DOMException) throw unreachableIssuerError(issuer);
    throw error;
  }
}

async function discoverIssuer(issuer: LoginIssuer): Promise<DiscoveredIssuer> {
  const url = new URL(issuer.issuer);
  const answer = await oauth.discoveryRequest(url, requestOptions(issuer));
  // A gateway in front of the issuer responds like this while the issuer is down.
  if (answer.status >= 500) throw unreachableIssuerError(issuer);
  const server = await oauth.processDiscoveryResponse(url, answer);
  const client = { client_id: issuer.client_id, [oauth.clockTolerance]: TOLERANCE };
  return { issuer, server, client };
}

/** Redirects to the issuer. The prompt `none` asks it to show nothing, `login` to ask for the account. */
export async function beginLogin(issuer: LoginIssuer, page: string, prompt?: "none" | "login") {
  if (!isSecureContext) throw insecurePageError();
  const { server, client } = await withLoginErrors(issuer, () => discoverIssuer(issuer));
  if (!server.authorization_endpoint) throw invalidResponseError(issuer, "it has no authorization_endpoint");
  const [verifier, state, nonce] = [
    oauth.generateRandomCodeVerifier(),
    oauth.generateRandomState(),
    oauth.generateRandomNonce(),
  ];
  const url = new URL(server.authorization_endpoint);
  const said = {
    ...issuer.parameters,
    client_id: client.client_id,
    redirect_uri: redirectUri(),
    response_type: "code",
    scope: issuer.scopes.join(" "),
    state,
    nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    ...(prompt && { prompt }),
  };
  for (const [name, value] of Object.entries(said)) url.searchParams.set(name, value);
  storePending({
    issuer: issuer.issuer,
    verifier,
    state,
    nonce,
    page: sameOriginPage(page),
    silent: prompt === "none",
    begun: Date.now(),
  });
  location.assign(url);
}

/** Starts a silent login at an issuer. Returns false if the issuer is no longer configured. */
export async function resumeLogin(identifier: string, page: string): Promise<boolean> {
  const issuer = (await fetchIssuers()).find((one) => one.issuer === identifier);
  if (!issuer) return false;
  await beginLogin(issuer, page, "none");
  return true;
}

/** The page to return to, and the error of a failed login. */
export interface LoginResult {
  readonly page: string;
  readonly error?: unknown;
}

/** Completes a login with the issuer's response, and signs in. */
export async function completeLogin(answer: URL): Promise<LoginResult> {
  const pending = takePending();
  if (!pending) return { page: "/", error: expiredLoginError() };
  const { page } = pending;
  try {
    const issuer = (await fetchIssuers()).find((one) => one.issuer === pending.issuer);
    if (!issuer || answer.searchParams.get("state") !== pending.state) throw expiredLoginError();
    if (pending.silent && INTERACTION_REQUIRED.has(answer.searchParams.get("error") ?? "")) {
      credential.ask(`You have no session at ${issuer.name} any more. Log in again to continue.`);
      return { page };
    }
    const { known, tokens } = await withLoginErrors(issuer, async () => {
      const known = await discoverIssuer(issuer);
      const code = oauth.validateAuthResponse(known.server, known.client, answer, pending.state);
      const request = { ...requestOptions(issuer), additionalParameters: issuer.parameters };
      const { server, client } = known;
      const sent = oauth.authorizationCodeGrantRequest(
        server,
        client,
        oauth.None(),
        code,
        redirectUri(),
        pending.verifier,
        request,
      );
      const read = { expectedNonce: pending.nonce, requireIdToken: true };
      const given = await oauth.processAuthorizationCodeResponse(server, client, await sent, read);
      return { known, tokens: readTokens(issuer, given) };
    });
    if (!(await isTokenAccepted(tokens.key))) throw rejectedTokenError(issuer, tokens.key);
    credential.signIn(
      tokens.key,
      new IssuerSession(issuer.name, tokens, {
        renew: (last) => renewTokens(known, last),
        end: (last) => endIssuerSession(known, last),
      }),
    );
    lastIssuer.remember(issuer.issuer);
    return { page };
  } catch (error) {
    return { page, error };
  }
}

/** The tokens of a response: the one for the API, and its lifetime. */
function readTokens(issuer: LoginIssuer, given: oauth.TokenEndpointResponse, last?: IssuerTokens): IssuerTokens {
  const key = issuer.token === "id_token" ? given.id_token : given.access_token;
  if (!key) throw invalidResponseError(issuer, "it has no token for the API");
  const claims = decodeClaims(key);
  const { exp, iat } = claims ?? {};
  const said = typeof exp === "number" && typeof iat === "number" ? exp - iat : null;
  const lifetime = issuer.token === "access_token" ? (given.expires_in ?? said) : said;
  const [refresh, hint] = [given.refresh_token ?? last?.refresh, given.id_token ?? last?.hint];
  return { key, lifetime, ...(refresh && { refresh }), ...(hint && { hint }) };
}

async function renewTokens(known: DiscoveredIssuer, last: IssuerTokens): Promise<IssuerTokens> {
  const { issuer, server, client } = known;
  return withLoginErrors(issuer, async () => {
    const request = { ...requestOptions(issuer), additionalParameters: issuer.parameters };
    const sent = oauth.refreshTokenGrantRequest(server, client, oauth.None(), last.refresh ?? "", request);
    const given = await oauth.processRefreshTokenResponse(server, client, await sent);
    return readTokens(issuer, given, last);
  });
}

/** Revokes the refresh token, and redirects to the issuer's logout page if it has one. */
async function endIssuerSession(known: DiscoveredIssuer, last: IssuerTokens): Promise<boolean> {
  const { issuer, server, client } = known;
  lastIssuer.forget();
  if (last.refresh && server.revocation_endpoint) {
    const sent = oauth.revocationRequest(server, client, oauth.None(), last.refresh, requestOptions(issuer));
    // The page forgets the token in any case.
    await sent.catch(() => undefined);
  }
  if (!server.end_session_endpoint) return false;
  const url = new URL(server.end_session_endpoint);
  if (last.hint) url.searchParams.set("id_token_hint", last.hint);
  url.searchParams.set("client_id", client.client_id);
  url.searchParams.set("post_logout_redirect_uri", redirectUri());
  url.searchParams.set("state", "signed-out");
  location.assign(url);
  return true;
}
