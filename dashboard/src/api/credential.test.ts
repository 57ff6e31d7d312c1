import { afterEach, expect, test, vi } from "vitest";
import { credential, takeKeyFromAddress } from "./credential";

afterEach(() => credential.signOut());

test("the key is taken from the address and removed from it", () => {
  const replaceState = vi.fn();
  const location = { hash: "#key=ioc_a_1_b", pathname: "/sessions/", search: "?q=x" } as Location;
  expect(takeKeyFromAddress(location, { state: null, replaceState } as unknown as History)).toBe("ioc_a_1_b");
  expect(replaceState).toHaveBeenCalledExactlyOnceWith(null, "", "/sessions/?q=x");
  expect(
    takeKeyFromAddress({ ...location, hash: "#file-a" } as Location, { replaceState } as unknown as History),
  ).toBeNull();
});

test("the key is stored nowhere that outlives the page", () => {
  credential.signIn("ioc_secret");
  expect(credential.get()).toMatchObject({ key: "ioc_secret" });
  expect(JSON.stringify({ ...localStorage, ...sessionStorage }) + document.cookie).not.toContain("ioc_secret");
});

test("signing out clears the key and the tenant, and keeps the reason", () => {
  credential.signIn("a");
  credential.switchTenant("research");
  expect(credential.get()).toMatchObject({ key: "a", tenant: "research" });
  credential.signOut("It was revoked.");
  expect([credential.get(), credential.reason()]).toEqual([null, "It was revoked."]);
});

test("a second sign-in has a new serial, even with the same key", () => {
  credential.signIn("a");
  const first = credential.get()?.serial;
  credential.signOut();
  credential.signIn("a");
  expect(credential.get()?.serial).not.toBe(first);
});

test("a refused key and a refused login have different messages", () => {
  credential.signIn("a");
  credential.refused("The key is not accepted.");
  expect(credential.reason()).toBe("The key is not accepted.");
  const stop = vi.fn();
  credential.signIn("b", { issuer: "Example", fresh: async () => undefined, end: async () => true, stop });
  credential.refused("The key is not accepted.");
  expect(credential.reason()).toContain("Your login at Example is no longer accepted");
  expect(stop).toHaveBeenCalledOnce();
});
