import createClient, { type Middleware } from "openapi-fetch";
import { credential } from "./credential";
import { ApiError, UnreachableError } from "./problem";
import type { Problem, paths } from "./schema";

const WRITES = new Set(["POST", "PUT", "PATCH", "DELETE"]);

const authorized: Middleware = {
  async onRequest({ request }) {
    const now = await credential.fresh();
    if (now) request.headers.set("Authorization", `Bearer ${now.key}`);
    if (now?.tenant) request.headers.set("X-Tenant-ID", now.tenant);
    // One click has one effect, even if the response is lost and the request is sent again.
    if (WRITES.has(request.method) && !request.headers.has("Idempotency-Key")) {
      request.headers.set("Idempotency-Key", crypto.randomUUID());
    }
    return request;
  },
  onError({ error }) {
    return error instanceof DOMException && error.name === "AbortError" ? error : new UnreachableError(error);
  },
};

/** The client for the API on this page's origin, typed by the OpenAPI document. */
export const client = createClient<paths>({ baseUrl: "", fetch: (request) => globalThis.fetch(request) });
client.use(authorized);

interface ApiResult<Data> {
  data?: Data;
  error?: unknown;
  response: Response;
}

/** Returns the data of a call, or throws its problem as an `ApiError`. */
export async function unwrap<Data>(call: Promise<ApiResult<Data>>): Promise<Data> {
  const { data, error, response } = await call;
  if (response.ok) return data as Data;
  if (response.status === 401)
    credential.refused("The key is not accepted: it was revoked, has expired, or is incomplete.");
  const retryAfter = Number(response.headers.get("Retry-After")) || null;
  const problem = typeof error === "object" && error !== null ? (error as Partial<Problem>) : {};
  throw new ApiError(response.status, problem, retryAfter);
}
