import { afterEach, expect, test } from "vitest";
import { keep, lastIssuer, ownPage, type Pending, takePending } from "./pending";

const pending: Pending = {
  issuer: "https://login.example.com",
  verifier: "verifier",
  state: "state",
  nonce: "nonce",
  page: "/sessions/?q=x",
  silent: false,
  begun: 0,
};

afterEach(() => sessionStorage.clear());

test("what is under way is there once", () => {
  keep(pending);
  expect(takePending(1000)).toEqual(pending);
  expect([takePending(1000), sessionStorage.length]).toEqual([null, 0]);
});

test("a login that took too long is none", () => {
  keep(pending);
  expect([takePending(16 * 60_000), sessionStorage.length]).toEqual([null, 0]);
});

test("what is no login of ours is none", () => {
  sessionStorage.setItem("ioc.login.pending", "{");
  expect(takePending()).toBeNull();
});

test("a login leads to a page of ours and nowhere else", () => {
  for (const page of ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:1", "", null, "/login/"])
    expect(ownPage(page)).toBe("/");
  expect(ownPage("/session/?id=1#file-a")).toBe("/session/?id=1#file-a");
  keep({ ...pending, page: "//evil.example" });
  expect(takePending(1)?.page).toBe("/");
});

test("the issuer of the last login is taken once, so that nothing goes round in circles", () => {
  lastIssuer.remember("https://login.example.com");
  expect([lastIssuer.take(), lastIssuer.take()]).toEqual(["https://login.example.com", null]);
});
