import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { credential } from "@/api/credential";
import { type IssuerCalls, IssuerSession, type IssuerTokens } from "./issuer-session";
import { LoginError } from "./login-error";

const away = new LoginError("ISSUER_UNREACHABLE", "It does not answer.", "Wait.");
const refused = new LoginError("LOGIN_EXPIRED", "No.", "Log in.");

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
});

afterEach(() => {
  credential.signOut();
  vi.useRealTimers();
});

/** A login that is signed in, with the tokens that its issuer gives one after the other. */
function loggedIn(tokens: IssuerTokens, renew: IssuerCalls["renew"] = vi.fn()) {
  const session = new IssuerSession("Example", tokens, { renew, end: async () => true });
  credential.signIn(tokens.key, session);
  return session;
}

const wait = (seconds: number) => vi.advanceTimersByTimeAsync(seconds * 1000);

test("a token is renewed a minute before it expires, in the same sign-in", async () => {
  const renew = vi.fn(async (last: IssuerTokens) => ({ key: `${last.key}'`, lifetime: 600, refresh: "again" }));
  loggedIn({ key: "first", lifetime: 600, refresh: "once" }, renew);
  credential.switchTenant("research");
  const { serial } = credential.get() ?? {};
  await wait(539);
  expect(renew).not.toHaveBeenCalled();
  await wait(2);
  expect(credential.get()).toMatchObject({ key: "first'", serial, tenant: "research" });
  await wait(540);
  expect(credential.get()?.key).toBe("first''");
  expect(renew.mock.calls.map(([last]) => last.refresh)).toEqual(["once", "again"]);
});

test("a short-lived token is renewed at three quarters of its lifetime", async () => {
  const renew = vi.fn(async () => ({ key: "second", lifetime: 8, refresh: "again" }));
  loggedIn({ key: "first", lifetime: 8, refresh: "once" }, renew);
  await wait(5.9);
  expect(renew).not.toHaveBeenCalled();
  await wait(0.2);
  expect(credential.get()?.key).toBe("second");
});

test("a login that cannot be renewed ends with its token, with a message", async () => {
  loggedIn({ key: "first", lifetime: 600 });
  await wait(599);
  expect(credential.get()?.key).toBe("first");
  await wait(2);
  expect([credential.get(), credential.reason()]).toEqual([null, expect.stringContaining("Example has ended")]);
});

test("renewal is retried while the issuer is briefly unreachable", async () => {
  const renew = vi.fn<IssuerCalls["renew"]>().mockRejectedValueOnce(away).mockRejectedValueOnce(away);
  renew.mockResolvedValue({ key: "second", lifetime: 600, refresh: "again" });
  loggedIn({ key: "first", lifetime: 600, refresh: "once" }, renew);
  await wait(545);
  expect(credential.get()?.key).toBe("first");
  await wait(10);
  expect(renew).toHaveBeenCalledTimes(3);
  expect(credential.get()?.key).toBe("second");
});

test("a network outage does not end a login", async () => {
  const renew = vi.fn<IssuerCalls["renew"]>().mockRejectedValue(away);
  loggedIn({ key: "first", lifetime: 600, refresh: "once" }, renew);
  await wait(3600);
  expect(credential.get()?.key).toBe("first");
  renew.mockResolvedValue({ key: "second", lifetime: 600, refresh: "again" });
  await wait(6);
  expect(credential.get()?.key).toBe("second");
});

test("a refused renewal is not retried, and the token is used until it expires", async () => {
  const renew = vi.fn<IssuerCalls["renew"]>().mockRejectedValue(refused);
  loggedIn({ key: "first", lifetime: 600, refresh: "once" }, renew);
  await wait(599);
  expect([renew.mock.calls.length, credential.get()?.key]).toEqual([1, "first"]);
  await wait(2);
  expect(credential.get()).toBeNull();
});

test("after sleep, concurrent calls wait for a single renewal", async () => {
  const renew = vi.fn(async () => ({ key: "second", lifetime: 600, refresh: "again" }));
  loggedIn({ key: "first", lifetime: 600, refresh: "once" }, renew);
  vi.setSystemTime(5000_000);
  const all = await Promise.all([credential.fresh(), credential.fresh(), credential.fresh()]);
  expect(all.map((now) => now?.key)).toEqual(["second", "second", "second"]);
  expect(renew).toHaveBeenCalledTimes(1);
});

test("calls do not wait for a slow issuer while the token is valid", async () => {
  loggedIn({ key: "first", lifetime: 600, refresh: "once" }, () => new Promise(() => undefined));
  await wait(580);
  expect((await credential.fresh())?.key).toBe("first");
});

test("a renewal that finishes after a sign-out has no effect", async () => {
  let answer: (tokens: IssuerTokens) => void = () => undefined;
  const renew = () =>
    new Promise<IssuerTokens>((resolve) => {
      answer = resolve;
    });
  loggedIn({ key: "first", lifetime: 8, refresh: "once" }, renew);
  await wait(7);
  credential.signOut();
  credential.signIn("ioc_key");
  answer({ key: "second", lifetime: 8, refresh: "again" });
  await wait(60);
  expect(credential.get()).toMatchObject({ key: "ioc_key" });
});

test("a token without an expiry is kept", async () => {
  loggedIn({ key: "first", lifetime: null, refresh: "once" });
  await wait(100_000);
  expect(credential.get()?.key).toBe("first");
});
