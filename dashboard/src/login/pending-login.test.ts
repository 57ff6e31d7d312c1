import { afterEach, expect, test } from "vitest";
import { lastIssuer, type PendingLogin, sameOriginPage, storePending, takePending } from "./pending-login";

const pending: PendingLogin = {
  issuer: "https://login.example.com",
  verifier: "verifier",
  state: "state",
  nonce: "nonce",
  page: "/sessions/?q=x",
  silent: false,
  begun: 0,
};

afterEach(() => sessionStorage.clear());

test("a pending login can be taken once", () => {
  storePending(pending);
  expect(takePending(1000)).toEqual(pending);
  expect([takePending(1000), sessionStorage.length]).toEqual([null, 0]);
});

test("a pending login expires", () => {
  storePending(pending);
  expect([takePending(16 * 60_000), sessionStorage.length]).toEqual([null, 0]);
});

test("a malformed pending login is ignored", () => {
  sessionStorage.setItem("ioc.login.pending", "{");
  expect(takePending()).toBeNull();
});

test("a login returns only to pages of the dashboard", () => {
  for (const page of ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:1", "", null, "/login/"])
    expect(sameOriginPage(page)).toBe("/");
  expect(sameOriginPage("/sessions/detail/?id=1#file-a")).toBe("/sessions/detail/?id=1#file-a");
  storePending({ ...pending, page: "//evil.example" });
  expect(takePending(1)?.page).toBe("/");
});

test("the issuer of the last login can be taken once", () => {
  lastIssuer.remember("https://login.example.com");
  expect([lastIssuer.take(), lastIssuer.take()]).toEqual(["https://login.example.com", null]);
});
