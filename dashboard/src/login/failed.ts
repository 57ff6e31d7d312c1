import { Explained } from "@/api/problem";
import type { LoginIssuer } from "@/api/schema";

/** A login that came to nothing: why, and what to do about it. */
export class LoginFailed extends Explained {
  constructor(
    readonly code: string,
    message: string,
    readonly remedy: string,
    /** The session that its issuer has with this browser is of no use: the next login asks who it is. */
    readonly another = false,
  ) {
    super(message);
    this.name = "LoginFailed";
  }

  /** Whether the same may go well in a while. */
  get passes(): boolean {
    return this.code === "ISSUER_UNREACHABLE" || this.code === "ISSUER_UNAVAILABLE";
  }
}

/** What an issuer may answer a page that asks without showing anything: nobody is there, or they have to be asked. */
export const SILENT = new Set([
  "login_required",
  "interaction_required",
  "consent_required",
  "account_selection_required",
]);

const AGAIN = "Log in once more; if it goes on, ask whoever runs ioc.";
const SETUP =
  "Whoever runs ioc has to look at the client at the issuer, and at `login` in OIDC_ISSUERS; docs/oidc.md says how.";

/** The login that an answer belongs to is not, or no longer, under way in this tab. */
export function strayed(): LoginFailed {
  return new LoginFailed(
    "LOGIN_EXPIRED",
    "This login is no longer under way: it took too long, was used already, or began in another tab.",
    "Log in once more, from here.",
  );
}

/** Browsers let pages have keys and hashes only where nobody between can change the page. */
export function insecure(): LoginFailed {
  return new LoginFailed(
    "PAGE_INSECURE",
    `Logging in needs https, and this page came from ${location.origin}.`,
    "Open the dashboard by https, or on the machine itself as http://localhost or http://127.0.0.1.",
  );
}

export function unreachable(issuer: LoginIssuer): LoginFailed {
  return new LoginFailed(
    "ISSUER_UNREACHABLE",
    `${issuer.name} does not answer.`,
    `Try again in a while. If ${issuer.issuer} opens in another tab, it has to let pages of ${location.origin} call it.`,
  );
}

/** An error of OAuth, as an issuer answered it. */
export function refusedBy(issuer: LoginIssuer, error: string, description?: string): LoginFailed {
  const said = description ? ` It says: ${description}` : "";
  switch (error) {
    case "access_denied":
      return new LoginFailed(
        "LOGIN_DENIED",
        `The login was denied at ${issuer.name}.${said}`,
        "Log in again and agree, or ask whoever runs it to let you use ioc.",
        true,
      );
    case "invalid_grant":
      return strayed();
    case "server_error":
    case "temporarily_unavailable":
      return new LoginFailed("ISSUER_UNAVAILABLE", `${issuer.name} could not do it.${said}`, "Try again in a while.");
    case "invalid_client":
    case "invalid_request":
    case "invalid_scope":
    case "invalid_target":
    case "unauthorized_client":
    case "unsupported_response_type":
      return new LoginFailed("LOGIN_MISCONFIGURED", `${issuer.name} refuses: ${error}.${said}`, SETUP);
    default:
      return new LoginFailed("LOGIN_REFUSED", `${issuer.name} refuses: ${error}.${said}`, AGAIN);
  }
}

/** What it answered is not what the protocol allows. */
export function misunderstood(issuer: LoginIssuer, what: string): LoginFailed {
  return new LoginFailed("ISSUER_WRONG", `${issuer.name} answers wrongly: ${what}.`, SETUP);
}

interface Claims {
  readonly aud?: unknown;
  readonly email?: unknown;
  readonly email_verified?: unknown;
}

/** What a token says, where it is one that can be read. Whether it is true is for the API to find out. */
export function claimsOf(token: string): (Claims & { readonly exp?: unknown; readonly iat?: unknown }) | null {
  try {
    const part = token.split(".")[1]?.replaceAll("-", "+").replaceAll("_", "/") ?? "";
    const bytes = Uint8Array.from(atob(part), (letter) => letter.charCodeAt(0));
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof claims === "object" ? claims : null;
  } catch {
    return null;
  }
}

/** The API let nobody in by this token. It says the same of all that is wrong; what the token itself shows is told apart. */
export function notTaken(issuer: LoginIssuer, token: string): LoginFailed {
  const claims = claimsOf(token);
  if (!claims) {
    return new LoginFailed(
      "TOKEN_OPAQUE",
      `The access tokens of ${issuer.name} are no JWT, which ioc needs.`,
      `Whoever runs ioc has to ask for an API of it in \`login.parameters\`, or send its ID tokens. ${SETUP}`,
    );
  }
  const meant = [claims.aud].flat().filter((one) => typeof one === "string");
  if (!meant.some((one) => issuer.audience.includes(one))) {
    return new LoginFailed(
      "TOKEN_FOR_ANOTHER",
      `The token of ${issuer.name} is meant for ${meant.join(", ") || "nobody"}, not for ${issuer.audience.join(" or ")}.`,
      SETUP,
    );
  }
  const email = typeof claims.email === "string" ? claims.email : null;
  const unverified =
    email && claims.email_verified !== true ? " Its address is not verified there, which may be why." : "";
  return new LoginFailed(
    "USER_NOT_LET_IN",
    `${issuer.name} knows you${email ? ` as ${email}` : ""}, and no tenant here lets you in.${unverified}`,
    "Ask a lead of your tenant to add you as a member with this address, or to reactivate you, or log in as somebody else.",
    true,
  );
}
