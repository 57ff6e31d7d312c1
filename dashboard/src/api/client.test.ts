import { afterEach, expect, test, vi } from "vitest";
import { client, unwrap } from "./client";
import { credential } from "./credential";
import { ApiError, isRetryable, UnreachableError } from "./problem";

afterEach(() => {
  vi.unstubAllGlobals();
  credential.signOut();
});

function answers(status: number, body: unknown, headers: Record<string, string> = {}) {
  const fetch = vi.fn<(request: Request) => Promise<Response>>();
  fetch.mockImplementation(
    async () =>
      new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/json", ...headers } }),
  );
  vi.stubGlobal("fetch", fetch);
  return fetch;
}

const at = "http://127.0.0.1";

test("a call carries the credential and the tenant that was switched to", async () => {
  const fetch = answers(200, { items: [] });
  credential.signIn("ioc_key");
  credential.switchTenant("research");
  await unwrap(client.GET("/api/v1/agents", { baseUrl: at }));
  const request = fetch.mock.calls[0]?.[0];
  expect(request?.headers.get("Authorization")).toBe("Bearer ioc_key");
  expect(request?.headers.get("X-Tenant-ID")).toBe("research");
  expect(request?.headers.has("Idempotency-Key")).toBe(false);
});

test("each write has its own idempotency key", async () => {
  const fetch = answers(200, {});
  const start = () =>
    unwrap(client.POST("/api/v1/sessions/{id}/start", { baseUrl: at, params: { path: { id: "1" } } }));
  await start();
  await start();
  const keys = fetch.mock.calls.map(([request]) => request.headers.get("Idempotency-Key"));
  expect(keys[0]).toBeTruthy();
  expect(keys[0]).not.toBe(keys[1]);
});

test("an API error has its code, remedy and retry delay", async () => {
  answers(
    429,
    { code: "RATE_LIMITED", detail: "Too fast.", remedy: "Wait.", errors: [{ field: "q", message: "is long" }] },
    { "Retry-After": "3" },
  );
  const refused = await unwrap(client.GET("/api/v1/agents", { baseUrl: at })).catch((error) => error);
  expect(refused).toBeInstanceOf(ApiError);
  expect(refused).toMatchObject({ code: "RATE_LIMITED", remedy: "Wait.", retryAfter: 3, message: "Too fast." });
  expect(refused.field("q")).toBe("is long");
  expect(isRetryable(refused)).toBe(true);
});

test("a key that is no longer valid signs the user out", async () => {
  answers(401, { code: "UNAUTHENTICATED" });
  credential.signIn("old");
  await expect(unwrap(client.GET("/api/v1/me", { baseUrl: at }))).rejects.toBeInstanceOf(ApiError);
  expect(credential.get()).toBeNull();
  expect(credential.reason()).toContain("not accepted");
});

test("a missing response is distinguished from an API error", async () => {
  vi.stubGlobal("fetch", vi.fn().mockRejectedValue(new TypeError("Failed to fetch")));
  await expect(unwrap(client.GET("/api/v1/me", { baseUrl: at }))).rejects.toBeInstanceOf(UnreachableError);
});
