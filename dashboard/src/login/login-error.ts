import { ExplainedError } from "@/api/problem";
import type { LoginIssuer } from "@/api/schema";

/** A failed login, with its code and remedy. */
export class LoginError extends ExplainedError {
  constructor(
    readonly code: string,
    message: string,
    readonly remedy: string,
    /** Whether the next login has to ask for the account, because the one at the issuer is of no use. */
    readonly asksAccount = false,
  ) {
    super(message);
    this.name = "LoginError";
  }

  /** Whether a later attempt can succeed. */
  get isTemporary(): boolean {
    return this.code === "ISSUER_UNREACHABLE" || this.code === "ISSUER_UNAVAILABLE";
  }
}

/** The errors of a silent login that only mean that the person has to be asked. */
export const INTERACTION_REQUIRED = new Set([
  "login_required",
  "interaction_required",
  "consent_required",
  "account_selection_required",
]);

const RETRY_REMEDY = "Log in again. If the error persists, ask the operator of ioc.";
const SETUP_REMEDY =
  "The operator of ioc has to check the client at the issuer, and `login` in OIDC_ISSUERS; see docs/oidc.md.";

/** The response belongs to no pending login of this tab. */
export function expiredLoginError(): LoginError {
  return new LoginError(
    "LOGIN_EXPIRED",
    "This login is no longer valid: it took too long, was already used, or was started in another tab.",
    "Log in again from here.",
  );
}

/** Browsers offer Web Crypto only in secure contexts. */
export function insecurePageError(): LoginError {
  return new LoginError(
    "PAGE_INSECURE",
    `Logging in needs HTTPS, and this page was loaded from ${location.origin}.`,
    "Open the dashboard over HTTPS, or on the machine itself as http://localhost or http://127.0.0.1.",
  );
}

export function unreachableIssuerError(issuer: LoginIssuer): LoginError {
  return new LoginError(
    "ISSUER_UNREACHABLE",
    `${issuer.name} does not respond.`,
    `Try again later. If ${issuer.issuer} opens in another tab, it has to allow calls from ${location.origin}.`,
  );
}

/** An OAuth error that an issuer returned. */
export function oauthError(issuer: LoginIssuer, error: string, description?: string): LoginError {
  const said = description ? ` It says: ${description}` : "";
  switch (error) {
    case "access_denied":
      return new LoginError(
        "LOGIN_DENIED",
        `The login was denied at ${issuer.name}.${said}`,
        "Log in again and agree, or ask the operator of the issuer for access to ioc.",
        true,
      );
    case "invalid_grant":
      return expiredLoginError();
    case "server_error":
    case "temporarily_unavailable":
      return new LoginError(
        "ISSUER_UNAVAILABLE",
        `${issuer.name} could not complete the login.${said}`,
        "Try again later.",
      );
    case "invalid_client":
    case "invalid_request":
    case "invalid_scope":
    case "invalid_target":
    case "unauthorized_client":
    case "unsupported_response_type":
      return new LoginError("LOGIN_MISCONFIGURED", `${issuer.name} refuses: ${error}.${said}`, SETUP_REMEDY);
    default:
      return new LoginError("LOGIN_REFUSED", `${issuer.name} refuses: ${error}.${said}`, RETRY_REMEDY);
  }
}

/** The issuer's response violates the protocol. */
export function invalidResponseError(issuer: LoginIssuer, what: string): LoginError {
  return new LoginError("ISSUER_WRONG", `${issuer.name} sent an invalid response: ${what}.`, SETUP_REMEDY);
}

interface Claims {
  readonly aud?: unknown;
  readonly email?: unknown;
  readonly email_verified?: unknown;
}

/** The claims of a token, or null if it is opaque. The API verifies them, not the dashboard. */
export function decodeClaims(token: string): (Claims & { readonly exp?: unknown; readonly iat?: unknown }) | null {
  try {
    const part = token.split(".")[1]?.replaceAll("-", "+").replaceAll("_", "/") ?? "";
    const bytes = Uint8Array.from(atob(part), (letter) => letter.charCodeAt(0));
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof claims === "object" ? claims : null;
  } catch {
    return null;
  }
}

/** The API rejected a token. It does not say why, so the reason is derived from the token's claims. */
export function rejectedTokenError(issuer: LoginIssuer, token: string): LoginError {
  const claims = decodeClaims(token);
  if (!claims) {
    return new LoginError(
      "TOKEN_OPAQUE",
      `The access tokens of ${issuer.name} are not JWTs, which ioc needs.`,
      `The operator of ioc has to request an API of the issuer in \`login.parameters\`, or use its ID tokens. ${SETUP_REMEDY}`,
    );
  }
  const meant = [claims.aud].flat().filter((one) => typeof one === "string");
  if (!meant.some((one) => issuer.audience.includes(one))) {
    return new LoginError(
      "TOKEN_FOR_ANOTHER",
      `The token of ${issuer.name} is meant for ${meant.join(", ") || "no audience"}, not for ${issuer.audience.join(" or ")}.`,
      SETUP_REMEDY,
    );
  }
  const email = typeof claims.email === "string" ? claims.email : null;
  const unverified =
    email && claims.email_verified !== true ? " The address is not verified there, which may be the reason." : "";
  return new LoginError(
    "USER_NOT_LET_IN",
    `${issuer.name} knows you${email ? ` as ${email}` : ""}, but no tenant here accepts you.${unverified}`,
    "Ask a lead of your tenant to add you as a member with this address or to reactivate you, or log in with another account.",
    true,
  );
}
