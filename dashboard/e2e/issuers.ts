import { generateKeyPairSync, randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import Provider, { type Configuration } from "oidc-provider";

const CLIENT = "ioc-dashboard";
const RESOURCE = "urn:ioc";
const SCOPES = "openid email profile roles";

/** The properties of a test issuer. */
interface Kind {
  /** Its display name. */
  readonly name: string;
  /** The lifetime of its tokens, in seconds. */
  readonly lifetime: number;
  readonly renews?: true;
  /** The API gets its access tokens instead of its ID tokens. */
  readonly access?: true;
  /** The audience that the API expects. */
  readonly audience: string;
}

const KINDS: readonly Kind[] = [
  { name: "Example", lifetime: 3600, audience: CLIENT },
  { name: "Renewing", lifetime: 8, renews: true, access: true, audience: RESOURCE },
  { name: "Brief", lifetime: 8, audience: CLIENT },
  { name: "Misdirected", lifetime: 3600, access: true, audience: "urn:another" },
];

interface Issuers {
  /** For OIDC_ISSUERS. */
  readonly settings: readonly object[];
  /** Starts the issuers, with redirects to this host. */
  serve(host: string): void;
  stop(): void;
}

/** An account named `ada.engineers` is ada@example.org with the role `engineers`. */
function claimsOf(account: string) {
  const [who, role] = account.split(".");
  return { email: `${who}@example.org`, email_verified: true, name: who, role };
}

function listen(): Promise<Server> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => resolve(server));
  });
}

const urlOf = (server: Server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

function settingsOf(kind: Pick<Kind, "name" | "audience" | "access">, issuer: string) {
  return {
    issuer,
    audience: kind.audience,
    tenant: "demo",
    role_claim: "role",
    role_map: { engineers: "member", watchers: "viewer" },
    login: {
      client_id: CLIENT,
      name: kind.name,
      scopes: SCOPES.split(" "),
      ...(kind.access && { token: "access_token", parameters: { resource: RESOURCE } }),
    },
  };
}

function configured(kind: Kind, host: string): Configuration {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const cookie = kind.name.toLowerCase();
  return {
    clients: [
      {
        client_id: CLIENT,
        token_endpoint_auth_method: "none",
        redirect_uris: [`${host}/login/`],
        post_logout_redirect_uris: [`${host}/login/`],
        grant_types: ["authorization_code", "refresh_token"],
      },
    ],
    jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), use: "sig", alg: "RS256", kid: cookie } as never] },
    // Browsers share cookies between the ports of a host.
    cookies: {
      keys: [randomBytes(16).toString("hex")],
      names: { session: `${cookie}_session`, interaction: `${cookie}_interaction`, resume: `${cookie}_resume` },
    },
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"], roles: ["role"] },
    conformIdTokenClaims: false,
    clientBasedCORS: () => true,
    findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id, ...claimsOf(id) }) }),
    extraTokenClaims: (_context, token) => ("accountId" in token ? claimsOf(String(token.accountId)) : undefined),
    issueRefreshToken: () => Boolean(kind.renews),
    interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
    ttl: {
      AccessToken: kind.lifetime,
      IdToken: kind.lifetime,
      RefreshToken: 3600,
      Session: 3600,
      Grant: 3600,
      Interaction: 600,
    },
    features: {
      devInteractions: { enabled: false },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: () => ({
          scope: SCOPES,
          audience: RESOURCE,
          accessTokenFormat: "jwt",
          accessTokenTTL: kind.lifetime,
        }),
        useGrantedResource: () => true,
      },
    },
    // A login grants all scopes.
    loadExistingGrant: async ({ oidc }) => {
      const grant = new oidc.provider.Grant({ clientId: CLIENT, accountId: oidc.session?.accountId });
      grant.addOIDCScope(SCOPES);
      grant.addResourceScope(RESOURCE, SCOPES);
      await grant.save();
      return grant;
    },
  };
}

const FORM = `<!doctype html><html lang="en"><title>Issuer</title><main><h1>Who are you?</h1><form method="post">
  <label>Name <input name="name" required autofocus></label>
  <button>Log in</button> <button name="denied" value="yes" formnovalidate>Cancel</button></form></main></html>`;

async function interact(provider: Provider, request: IncomingMessage, response: ServerResponse) {
  if (request.method !== "POST") return response.setHeader("content-type", "text/html").end(FORM);
  const said = new URLSearchParams(await text(request));
  const result = said.has("denied")
    ? { error: "access_denied", error_description: "The person said no." }
    : { login: { accountId: said.get("name") ?? "" } };
  return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
}

/** Starts real OpenID Connect issuers on this machine. One of the settings names an issuer that does not run. */
export async function startIssuers(): Promise<Issuers> {
  const servers = await Promise.all(KINDS.map(listen));
  const gone = await listen();
  const away = settingsOf({ name: "Away", audience: CLIENT }, urlOf(gone));
  gone.close();
  return {
    settings: [...KINDS.map((kind, at) => settingsOf(kind, urlOf(servers[at] as Server))), away],
    serve(host) {
      KINDS.forEach((kind, at) => {
        const server = servers[at] as Server;
        const provider = new Provider(urlOf(server), configured(kind, host));
        const protocol = provider.callback();
        server.on("request", (request, response) => {
          if (!request.url?.startsWith("/interaction/")) return protocol(request, response);
          interact(provider, request, response).catch((error) => response.writeHead(500).end(String(error)));
        });
      });
    },
    stop() {
      for (const server of servers) {
        server.closeAllConnections();
        server.close();
      }
    },
  };
}
