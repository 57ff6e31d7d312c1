import { afterEach, expect, test, vi } from "vitest";
import { credential, takeFromAddress } from "./credential";

afterEach(() => credential.signOut());

test("the key in the address is taken, and gone from it", () => {
  const replaceState = vi.fn();
  const location = { hash: "#key=ioc_a_1_b", pathname: "/sessions/", search: "?q=x" } as Location;
  expect(takeFromAddress(location, { state: null, replaceState } as unknown as History)).toBe("ioc_a_1_b");
  expect(replaceState).toHaveBeenCalledExactlyOnceWith(null, "", "/sessions/?q=x");
  expect(
    takeFromAddress({ ...location, hash: "#file-a" } as Location, { replaceState } as unknown as History),
  ).toBeNull();
});

test("it is kept nowhere that outlives the page", () => {
  credential.signIn("ioc_secret");
  expect(credential.get()).toMatchObject({ key: "ioc_secret" });
  expect(JSON.stringify({ ...localStorage, ...sessionStorage }) + document.cookie).not.toContain("ioc_secret");
});

test("signing out forgets the key and the tenant, and says why", () => {
  credential.signIn("a");
  credential.switchTenant("research");
  expect(credential.get()).toMatchObject({ key: "a", tenant: "research" });
  credential.signOut("It was revoked.");
  expect([credential.get(), credential.reason()]).toEqual([null, "It was revoked."]);
});

test("a second sign-in is another one, also with the same key", () => {
  credential.signIn("a");
  const first = credential.get()?.serial;
  credential.signOut();
  credential.signIn("a");
  expect(credential.get()?.serial).not.toBe(first);
});

test("what is refused is told by what it is: a key, or a login at an issuer", () => {
  credential.signIn("a");
  credential.refused("The key is not accepted.");
  expect(credential.reason()).toBe("The key is not accepted.");
  const stop = vi.fn();
  credential.signIn("b", { issuer: "Example", fresh: async () => undefined, end: async () => true, stop });
  credential.refused("The key is not accepted.");
  expect(credential.reason()).toContain("Your login at Example is no longer accepted");
  expect(stop).toHaveBeenCalledOnce();
});
