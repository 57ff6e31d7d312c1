import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { credential } from "@/api/credential";
import { LoginFailed } from "./failed";
import { type IssuerCalls, Session, type Tokens } from "./session";

const away = new LoginFailed("ISSUER_UNREACHABLE", "It does not answer.", "Wait.");
const refused = new LoginFailed("LOGIN_EXPIRED", "No.", "Log in.");

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
});

afterEach(() => {
  credential.signOut();
  vi.useRealTimers();
});

/** A login that is signed in, with the tokens that its issuer gives one after the other. */
function loggedIn(tokens: Tokens, renew: IssuerCalls["renew"] = vi.fn()) {
  const session = new Session("Example", tokens, { renew, end: async () => true });
  credential.signIn(tokens.key, session);
  return session;
}

const wait = (seconds: number) => vi.advanceTimersByTimeAsync(seconds * 1000);

test("a token is renewed a minute before its end, and the sign-in stays the same one", async () => {
  const renew = vi.fn(async (last: Tokens) => ({ key: `${last.key}'`, lifetime: 600, refresh: "again" }));
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

test("one that lives for seconds is renewed at three quarters of them", async () => {
  const renew = vi.fn(async () => ({ key: "second", lifetime: 8, refresh: "again" }));
  loggedIn({ key: "first", lifetime: 8, refresh: "once" }, renew);
  await wait(5.9);
  expect(renew).not.toHaveBeenCalled();
  await wait(0.2);
  expect(credential.get()?.key).toBe("second");
});

test("without a way to renew it, a login ends with its token and says so", async () => {
  loggedIn({ key: "first", lifetime: 600 });
  await wait(599);
  expect(credential.get()?.key).toBe("first");
  await wait(2);
  expect([credential.get(), credential.reason()]).toEqual([null, expect.stringContaining("Example has ended")]);
});

test("an issuer that is away for a moment is asked again, and nobody is signed out meanwhile", async () => {
  const renew = vi.fn<IssuerCalls["renew"]>().mockRejectedValueOnce(away).mockRejectedValueOnce(away);
  renew.mockResolvedValue({ key: "second", lifetime: 600, refresh: "again" });
  loggedIn({ key: "first", lifetime: 600, refresh: "once" }, renew);
  await wait(545);
  expect(credential.get()?.key).toBe("first");
  await wait(10);
  expect(renew).toHaveBeenCalledTimes(3);
  expect(credential.get()?.key).toBe("second");
});

test("a network that is away ends no login: when it is back, so is the token", async () => {
  const renew = vi.fn<IssuerCalls["renew"]>().mockRejectedValue(away);
  loggedIn({ key: "first", lifetime: 600, refresh: "once" }, renew);
  await wait(3600);
  expect(credential.get()?.key).toBe("first");
  renew.mockResolvedValue({ key: "second", lifetime: 600, refresh: "again" });
  await wait(6);
  expect(credential.get()?.key).toBe("second");
});

test("an issuer that refuses is not asked again, and the token is good to its end", async () => {
  const renew = vi.fn<IssuerCalls["renew"]>().mockRejectedValue(refused);
  loggedIn({ key: "first", lifetime: 600, refresh: "once" }, renew);
  await wait(599);
  expect([renew.mock.calls.length, credential.get()?.key]).toEqual([1, "first"]);
  await wait(2);
  expect(credential.get()).toBeNull();
});

test("a laptop that slept renews before it calls, once for all who wait", async () => {
  const renew = vi.fn(async () => ({ key: "second", lifetime: 600, refresh: "again" }));
  loggedIn({ key: "first", lifetime: 600, refresh: "once" }, renew);
  vi.setSystemTime(5000_000);
  const all = await Promise.all([credential.fresh(), credential.fresh(), credential.fresh()]);
  expect(all.map((now) => now?.key)).toEqual(["second", "second", "second"]);
  expect(renew).toHaveBeenCalledTimes(1);
});

test("nobody waits for a slow issuer while the token is good", async () => {
  loggedIn({ key: "first", lifetime: 600, refresh: "once" }, () => new Promise(() => undefined));
  await wait(580);
  expect((await credential.fresh())?.key).toBe("first");
});

test("who has signed out is not signed in again by a renewal that was under way", async () => {
  let answer: (tokens: Tokens) => void = () => undefined;
  const renew = () =>
    new Promise<Tokens>((resolve) => {
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

test("a token that says nothing of its end is not given up", async () => {
  loggedIn({ key: "first", lifetime: null, refresh: "once" });
  await wait(100_000);
  expect(credential.get()?.key).toBe("first");
});
