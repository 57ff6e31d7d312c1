import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Page } from "@playwright/test";
import type { AxeResults } from "axe-core";
import { type Api, expect, test } from "./world";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const host = () => process.env.E2E_IOC_URL ?? "";

/** Adds a member by address. The role from the issuer takes precedence over this one. */
async function known(api: Api, who: string): Promise<string> {
  return (await api.call("POST", "/users", { email: `${who}@example.org`, full_name: who, role: "lead" })).id;
}

async function leaveFor(page: Page, issuer: string) {
  await page.getByRole("button", { name: `Log in with ${issuer}`, exact: true }).click();
}

/** Fills in the login form of the issuer. */
async function identify(page: Page, name: string) {
  await page.getByLabel("Name").fill(name);
  await page.getByRole("button", { name: "Log in" }).click();
}

/** The tokens that the page has sent to the API. */
function sentTokens(page: Page): Set<string> {
  const sent = new Set<string>();
  page.on("request", (request) => {
    const token = request.headers().authorization?.replace("Bearer ", "");
    if (token && request.url().startsWith(`${host()}/api/`)) sent.add(token);
  });
  return sent;
}

/** Everything that is stored outside the page's memory. */
async function kept(page: Page): Promise<string> {
  return page.evaluate(async () =>
    JSON.stringify([
      { ...localStorage },
      { ...sessionStorage },
      document.cookie,
      await indexedDB.databases(),
      location.href,
    ]),
  );
}

test("a login returns to the requested page with the role of the issuer", async ({ page, api }) => {
  await known(api, "ada");
  const sent = sentTokens(page);
  await page.goto(`${host()}/sessions/?q=parser`);
  const asked = page.waitForRequest((request) => new URL(request.url()).pathname === "/auth");
  await leaveFor(page, "Example");
  const { searchParams } = new URL((await asked).url());
  expect(searchParams.get("response_type")).toBe("code");
  expect(searchParams.get("code_challenge_method")).toBe("S256");
  for (const name of ["state", "nonce", "code_challenge"]) expect(searchParams.get(name)?.length).toBeGreaterThan(40);
  await identify(page, "ada.watchers");
  await expect(page.getByRole("heading", { name: "Sessions", level: 1 })).toBeVisible();
  await expect(page).toHaveURL(`${host()}/sessions/?q=parser`);
  await expect(page.locator("[data-connection=live]")).toBeVisible();
  await page.getByRole("button", { name: "You" }).click();
  await expect(page.getByText("viewer of Demo")).toBeVisible();
  await expect(page.getByText("Logged in at Example")).toBeVisible();
  await expect(page.getByRole("link", { name: "New session" })).toHaveCount(0);
  expect([...sent]).toHaveLength(1);
  const left = await kept(page);
  for (const part of [...sent].flatMap((token) => token.split("."))) expect(left).not.toContain(part);
  expect(left).not.toContain("verifier");
});

test("a reload logs in silently while the issuer has a session", async ({ page, api }) => {
  await known(api, "grace");
  await page.goto(`${host()}/agents/`);
  await leaveFor(page, "Example");
  await identify(page, "grace.engineers");
  await expect(page.getByRole("heading", { name: "Agents" })).toBeVisible();
  const sent = sentTokens(page);
  await page.reload();
  await expect(page.getByRole("heading", { name: "Agents" })).toBeVisible();
  await expect(page).toHaveURL(`${host()}/agents/`);
  const left = await kept(page);
  for (const token of sent) expect(left).not.toContain(token.split(".")[2]);
  await page.context().clearCookies();
  await page.reload();
  await expect(page.getByRole("status").filter({ hasText: "no session at Example" })).toBeVisible();
  await expect(page).toHaveURL(`${host()}/agents/`);
  await leaveFor(page, "Example");
  await identify(page, "grace.engineers");
  await expect(page.getByRole("heading", { name: "Agents" })).toBeVisible();
});

test("a denied login is reported, and the next one asks again", async ({ page, api }) => {
  await known(api, "joan");
  await page.goto(`${host()}/quotas/`);
  await leaveFor(page, "Example");
  await page.getByRole("button", { name: "Cancel" }).click();
  const alert = page.getByRole("alert").filter({ hasText: "LOGIN_DENIED" });
  await expect(alert).toContainText("The person said no.");
  await expect(alert).toContainText("Log in again and agree");
  await leaveFor(page, "Example");
  await identify(page, "joan.engineers");
  await expect(page.getByRole("heading", { name: "Quotas" })).toBeVisible();
});

test("an unreachable issuer is named, and the others stay available", async ({ page }) => {
  await page.goto(host());
  await leaveFor(page, "Away");
  const alert = page.getByRole("alert").filter({ hasText: "ISSUER_UNREACHABLE" });
  await expect(alert).toContainText("Away does not respond.");
  await expect(alert).toContainText("Try again");
  await expect(page.getByRole("button", { name: "Log in with Example" })).toBeEnabled();
  expect(await page.evaluate(() => sessionStorage.length)).toBe(0);
});

test("an unknown person is told what to do and can use another account", async ({ page, api }) => {
  await known(api, "radia");
  await page.goto(`${host()}/agents/`);
  await leaveFor(page, "Example");
  await identify(page, "stranger.engineers");
  const alert = page.getByRole("alert").filter({ hasText: "USER_NOT_LET_IN" });
  await expect(alert).toContainText("stranger@example.org");
  await expect(alert).toContainText("Ask a lead of your tenant to add you");
  await leaveFor(page, "Example");
  await identify(page, "radia.engineers");
  await expect(page.getByRole("heading", { name: "Agents" })).toBeVisible();
});

test("an unmapped role shows the API's message", async ({ page, api }) => {
  await known(api, "annie");
  await page.goto(host());
  await leaveFor(page, "Example");
  await identify(page, "annie.gardeners");
  await expect(page.getByRole("alert").filter({ hasText: "FORBIDDEN" })).toContainText("names no known role");
});

test("a deactivated member is signed out, and a new login explains it", async ({ page, api }) => {
  const id = await known(api, "karen");
  await page.goto(`${host()}/sessions/`);
  await leaveFor(page, "Example");
  await identify(page, "karen.engineers");
  await expect(page.getByRole("heading", { name: "Sessions", level: 1 })).toBeVisible();
  await api.call("PATCH", `/users/${id}`, { is_active: false });
  await expect(page.getByRole("status").filter({ hasText: "no longer accepted" })).toBeVisible();
  await leaveFor(page, "Example");
  await expect(page.getByRole("alert").filter({ hasText: "USER_NOT_LET_IN" })).toContainText("reactivate");
});

test("a token for another audience is reported as such", async ({ page }) => {
  await page.goto(host());
  await leaveFor(page, "Misdirected");
  await identify(page, "ada.engineers");
  const alert = page.getByRole("alert").filter({ hasText: "TOKEN_FOR_ANOTHER" });
  await expect(alert).toContainText("meant for urn:ioc, not for urn:another");
});

test("a token is renewed before it expires, without losing form input", async ({ page, api }) => {
  await known(api, "barbara");
  const sent = sentTokens(page);
  await page.goto(`${host()}/sessions/new/`);
  await leaveFor(page, "Renewing");
  await identify(page, "barbara.engineers");
  await page.getByLabel("Title").fill("Half written");
  for (let round = 0; round < 2; round += 1) {
    const renewed = await page.waitForResponse((answer) => new URL(answer.url()).pathname === "/token");
    expect(renewed.status()).toBe(200);
    expect(renewed.request().postData()).toContain("grant_type=refresh_token");
  }
  await expect(page.getByLabel("Title")).toHaveValue("Half written");
  await page.getByRole("link", { name: "Sessions", exact: true }).click();
  await expect(page.getByRole("heading", { name: "Sessions", level: 1 })).toBeVisible();
  expect(sent.size).toBeGreaterThan(1);
  const left = await kept(page);
  for (const token of sent) expect(left).not.toContain(token.split(".")[2]);
});

test("a login that cannot be renewed ends, and the next one returns to the page", async ({ page, api }) => {
  await known(api, "hedy");
  await page.goto(`${host()}/sessions/?q=kept`);
  await leaveFor(page, "Brief");
  await identify(page, "hedy.engineers");
  await expect(page.getByRole("heading", { name: "Sessions", level: 1 })).toBeVisible();
  await expect(page.getByRole("status").filter({ hasText: "Your login at Brief has ended." })).toBeVisible();
  await expect(page.getByRole("heading", { name: "Sessions", level: 1 })).toHaveCount(0);
  await leaveFor(page, "Brief");
  await expect(page.getByRole("heading", { name: "Sessions", level: 1 })).toBeVisible();
  await expect(page).toHaveURL(`${host()}/sessions/?q=kept`);
});

test("signing out ends the session at the issuer too", async ({ page, api }) => {
  await known(api, "evelyn");
  await page.goto(host());
  await leaveFor(page, "Example");
  await identify(page, "evelyn.engineers");
  await expect(page.getByRole("heading", { name: "Overview" })).toBeVisible();
  await page.getByRole("button", { name: "You" }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await page.getByRole("button", { name: "Yes, sign me out" }).click();
  await expect(page.getByRole("status").filter({ hasText: "signed out, here and at your issuer" })).toBeVisible();
  await expect(page).toHaveURL(`${host()}/login/`);
  expect(await page.evaluate(() => sessionStorage.length)).toBe(0);
  await page.reload();
  await leaveFor(page, "Example");
  await expect(page.getByRole("heading", { name: "Who are you?" })).toBeVisible();
});

test("an unsolicited response does not log in", async ({ page }) => {
  await page.goto(host());
  await leaveFor(page, "Example");
  await expect(page.getByRole("heading", { name: "Who are you?" })).toBeVisible();
  await page.goto(`${host()}/login/?code=stolen&state=guessed`);
  await expect(page.getByRole("alert").filter({ hasText: "LOGIN_EXPIRED" })).toContainText("Log in again");
  await expect(page).toHaveURL(`${host()}/login/`);
  expect(await page.evaluate(() => sessionStorage.length)).toBe(0);
});

test("pages may call only the issuers, and the page to sign in is accessible", async ({ page }) => {
  const { issuers } = (await (await fetch(`${host()}/api/v1/login`)).json()) as { issuers: { issuer: string }[] };
  const policy = (await fetch(`${host()}/`)).headers.get("content-security-policy") ?? "";
  const called = policy.match(/connect-src ([^;]*)/)?.[1]?.split(" ");
  expect(called?.sort()).toEqual(["'self'", ...issuers.map((one) => one.issuer)].sort());
  for (const theme of ["dark", "light"]) {
    await page.addInitScript((theme) => localStorage.setItem("theme", theme), theme);
    await page.goto(host());
    await expect(page.getByRole("button", { name: "Log in with Example" })).toBeVisible();
    await page.evaluate(AXE);
    const { violations } = await page.evaluate(() =>
      (window as unknown as { axe: { run(): Promise<AxeResults> } }).axe.run(),
    );
    const serious = violations.filter((one) => one.impact === "serious" || one.impact === "critical");
    expect(serious.map((one) => one.id)).toEqual([]);
  }
});
