import createClient, { type Middleware } from "openapi-fetch";
import { credential } from "./credential";
import { Refused, Unreachable } from "./problem";
import type { Problem, paths } from "./schema";

const WRITES = new Set(["POST", "PUT", "PATCH", "DELETE"]);

const authorized: Middleware = {
  async onRequest({ request }) {
    const now = await credential.fresh();
    if (now) request.headers.set("Authorization", `Bearer ${now.key}`);
    if (now?.tenant) request.headers.set("X-Tenant-ID", now.tenant);
    // One click is one effect, also when the answer is lost and the request is sent again.
    if (WRITES.has(request.method) && !request.headers.has("Idempotency-Key")) {
      request.headers.set("Idempotency-Key", crypto.randomUUID());
    }
    return request;
  },
  onError({ error }) {
    return error instanceof DOMException && error.name === "AbortError" ? error : new Unreachable(error);
  },
};

/** Calls the API that serves this page, typed by its OpenAPI document. */
export const client = createClient<paths>({ baseUrl: "", fetch: (request) => globalThis.fetch(request) });
client.use(authorized);

interface Answer<Data> {
  data?: Data;
  error?: unknown;
  response: Response;
}

/** What a call answered, or the problem as an error to throw. */
export async function take<Data>(call: Promise<Answer<Data>>): Promise<Data> {
  const { data, error, response } = await call;
  if (response.ok) return data as Data;
  if (response.status === 401)
    credential.refused("The key is not accepted: it was revoked, has expired, or is not whole.");
  const retryAfter = Number(response.headers.get("Retry-After")) || null;
  const problem = typeof error === "object" && error !== null ? (error as Partial<Problem>) : {};
  throw new Refused(response.status, problem, retryAfter);
}
