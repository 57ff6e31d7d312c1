import { expect, test } from "vitest";
import type { LoginIssuer } from "@/api/schema";
import { decodeClaims, oauthError, rejectedTokenError } from "./login-error";

const issuer: LoginIssuer = {
  issuer: "https://login.example.com",
  name: "Example",
  client_id: "ioc-dashboard",
  scopes: ["openid"],
  token: "id_token",
  audience: ["ioc-dashboard", "ioc"],
  parameters: {},
};

const base64url = (value: unknown) =>
  btoa(String.fromCharCode(...new TextEncoder().encode(JSON.stringify(value))))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");

const token = (claims: object) => `${base64url({ alg: "RS256" })}.${base64url(claims)}.c2ln`;

test("claims in any alphabet are decoded", () => {
  expect(decodeClaims(token({ name: "Zoë Ångström ☂" }))).toEqual({ name: "Zoë Ångström ☂" });
  for (const none of ["", "opaque", "a.b.c", `a.${base64url("text")}.c`, `a.${base64url(null)}.c`])
    expect(decodeClaims(none)).toBeNull();
});

test("opaque tokens, wrong audiences and unknown people are distinguished", () => {
  expect(rejectedTokenError(issuer, "opaque")).toMatchObject({ code: "TOKEN_OPAQUE", asksAccount: false });
  const misdirected = rejectedTokenError(issuer, token({ aud: ["x", "y"] }));
  expect(misdirected).toMatchObject({ code: "TOKEN_FOR_ANOTHER", asksAccount: false });
  expect(misdirected.message).toContain("meant for x, y, not for ioc-dashboard or ioc");
  const unknown = rejectedTokenError(
    issuer,
    token({ aud: ["x", "ioc"], email: "ada@example.org", email_verified: true }),
  );
  expect(unknown).toMatchObject({ code: "USER_NOT_LET_IN", asksAccount: true });
  expect(unknown.message).toContain("ada@example.org");
  expect(unknown.message).not.toContain("not verified");
  expect(rejectedTokenError(issuer, token({ aud: "ioc", email: "ada@example.org" })).message).toContain("not verified");
});

test("every issuer error has a code and a remedy", () => {
  const codes = ["access_denied", "server_error", "invalid_scope", "invalid_grant", "something_new"].map((error) => {
    const failed = oauthError(issuer, error, "Because.");
    expect(failed.remedy).not.toBe("");
    return failed.code;
  });
  expect(codes).toEqual([
    "LOGIN_DENIED",
    "ISSUER_UNAVAILABLE",
    "LOGIN_MISCONFIGURED",
    "LOGIN_EXPIRED",
    "LOGIN_REFUSED",
  ]);
  expect(oauthError(issuer, "access_denied", "Because.").message).toContain("It says: Because.");
});
