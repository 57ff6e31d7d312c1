import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { credential } from "@/api/credential";
import { beginLogin, completeLogin } from "./login-flow";
import { lastIssuer, storePending, takePending } from "./pending-login";

const ISSUER = "https://login.example.com";
const EXAMPLE = {
  issuer: ISSUER,
  name: "Example",
  client_id: "ioc-dashboard",
  scopes: ["openid", "email"],
  token: "id_token" as const,
  audience: ["ioc-dashboard"],
  parameters: { resource: "urn:ioc" },
};

const base64url = (value: object) =>
  btoa(JSON.stringify(value)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");

/** An ID token as the issuer makes them, but for these claims. */
function idToken(claims: object): string {
  const now = Math.floor(Date.now() / 1000);
  const usual = { iss: ISSUER, aud: "ioc-dashboard", sub: "ada", nonce: "nonce", iat: now, exp: now + 600 };
  return `${base64url({ alg: "RS256" })}.${base64url({ ...usual, ...claims })}.c2ln`;
}

/** What was asked at the token endpoint. */
let asked: URLSearchParams | null = null;

/** The API and an issuer that gives this ID token. */
function world(token: string, { me = 200, token: status = 200 } = {}) {
  vi.stubGlobal("fetch", async (to: Request | URL | string, init?: RequestInit) => {
    const { pathname } = new URL(to instanceof Request ? to.url : to, location.origin);
    switch (pathname) {
      case "/api/v1/login":
        return Response.json({ issuers: [EXAMPLE] });
      case "/api/v1/me":
        return Response.json({ code: "UNAUTHENTICATED" }, { status: me });
      case "/.well-known/openid-configuration":
        return Response.json({
          issuer: ISSUER,
          authorization_endpoint: `${ISSUER}/authorize?fixed=1`,
          token_endpoint: `${ISSUER}/token`,
          authorization_response_iss_parameter_supported: true,
        });
      case "/token":
        asked = new URLSearchParams(String(init?.body));
        if (status !== 200) return Response.json({ error: "invalid_grant" }, { status });
        return Response.json({ access_token: "opaque", token_type: "Bearer", id_token: token });
      default:
        throw new TypeError(`nobody is at ${pathname}`);
    }
  });
}

const pending = {
  issuer: ISSUER,
  verifier: "v".repeat(43),
  state: "state",
  nonce: "nonce",
  page: "/agents/?q=x",
  silent: false,
  begun: Date.now(),
};

function answer(more: Record<string, string> = {}) {
  const said = { code: "code", state: "state", iss: ISSUER, ...more };
  return new URL(`/login/?${new URLSearchParams(said)}`, location.origin);
}

beforeEach(() => {
  vi.stubGlobal("isSecureContext", true);
  asked = null;
});

afterEach(() => {
  credential.signOut();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  sessionStorage.clear();
});

test("the redirect carries a challenge, and the verifier stays in the tab", async () => {
  world(idToken({}));
  const assign = vi.spyOn(location, "assign").mockImplementation(() => undefined);
  await beginLogin(EXAMPLE, "/agents/?q=x");
  const url = new URL(String(assign.mock.calls[0]?.[0]));
  const { verifier, state, nonce, page } = takePending() ?? {};
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  const challenge = btoa(String.fromCharCode(...new Uint8Array(digest)));
  expect(Object.fromEntries(url.searchParams)).toEqual({
    fixed: "1",
    client_id: "ioc-dashboard",
    redirect_uri: `${location.origin}/login/`,
    response_type: "code",
    scope: "openid email",
    resource: "urn:ioc",
    state,
    nonce,
    code_challenge: challenge.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, ""),
    code_challenge_method: "S256",
  });
  expect([page, url.href.includes(verifier ?? "none")]).toEqual(["/agents/?q=x", false]);
});

test("a response signs in with the accepted token and returns to the page", async () => {
  const token = idToken({});
  world(token);
  storePending(pending);
  expect(await completeLogin(answer())).toEqual({ page: "/agents/?q=x" });
  expect(credential.get()).toMatchObject({ key: token, login: { issuer: "Example" } });
  expect(asked?.get("code_verifier")).toBe(pending.verifier);
  expect(asked?.has("client_secret")).toBe(false);
  expect(lastIssuer.take()).toBe(ISSUER);
  expect(sessionStorage.length).toBe(0);
});

test.each([
  ["another nonce", {}, { nonce: "of another login" }, "ISSUER_WRONG"],
  ["another issuer in the token", {}, { iss: "https://evil.example" }, "ISSUER_WRONG"],
  ["another audience in the ID token", {}, { aud: "another" }, "ISSUER_WRONG"],
  ["a token that has ended", {}, { iat: 1, exp: 2 }, "ISSUER_WRONG"],
  ["another state", { state: "guessed" }, {}, "LOGIN_EXPIRED"],
  ["another issuer in the answer", { iss: "https://evil.example" }, {}, "ISSUER_WRONG"],
  ["a refusal", { error: "access_denied" }, {}, "LOGIN_DENIED"],
])("%s signs nobody in", async (_, said, claims, code) => {
  world(idToken(claims));
  storePending(pending);
  expect(await completeLogin(answer(said))).toMatchObject({ page: "/agents/?q=x", error: { code } });
  expect([credential.get(), sessionStorage.length]).toEqual([null, 0]);
});

test("a response can be used once", async () => {
  world(idToken({}));
  storePending(pending);
  await completeLogin(answer());
  credential.signOut();
  expect(await completeLogin(answer())).toMatchObject({ error: { code: "LOGIN_EXPIRED" } });
  world(idToken({}), { token: 400 });
  storePending(pending);
  expect(await completeLogin(answer())).toMatchObject({ error: { code: "LOGIN_EXPIRED" } });
  expect(credential.get()).toBeNull();
});

test("a token that the API rejects does not sign in", async () => {
  world(idToken({}), { me: 401 });
  storePending(pending);
  expect(await completeLogin(answer())).toMatchObject({ error: { code: "USER_NOT_LET_IN" } });
  expect(credential.get()).toBeNull();
});

test("a silent login without a session at the issuer is not an error", async () => {
  world(idToken({}));
  storePending({ ...pending, silent: true });
  expect(await completeLogin(answer({ error: "login_required" }))).toEqual({ page: "/agents/?q=x" });
  expect(credential.reason()).toContain("no session at Example");
  storePending(pending);
  expect(await completeLogin(answer({ error: "login_required" }))).toMatchObject({ error: { code: "LOGIN_REFUSED" } });
});

test("a login needs a secure context", async () => {
  vi.stubGlobal("isSecureContext", false);
  await expect(beginLogin(EXAMPLE, "/")).rejects.toMatchObject({ code: "PAGE_INSECURE" });
});
