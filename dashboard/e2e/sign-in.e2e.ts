import { execFileSync } from "node:child_process";
import { expect, test } from "./world";

const IOC = new URL("../../target/debug/ioc", import.meta.url).pathname;

const anotherLink = () =>
  execFileSync(IOC, ["link", "--local", process.env.E2E_LOCAL ?? ""], { encoding: "utf8" }).trim();

test("the printed link signs in and leaves the key nowhere", async ({ page }, { retry }) => {
  // The printed one works once.
  const link = retry ? anotherLink() : (process.env.E2E_LINK ?? "");
  expect(link, "the host prints a link, which holds no key").toMatch(/\/link\/[0-9a-f]+$/);
  const opened = await page.goto(link);
  const redirect = await opened?.request().redirectedFrom()?.response();
  const key = redirect?.headers().location?.split("#key=")[1] ?? "";
  expect(key).toMatch(/^ioc_/);
  await expect(page.getByRole("heading", { name: "Overview" })).toBeVisible();
  expect(page.url()).not.toContain("key");
  const kept = await page.evaluate(async () => ({
    stored: JSON.stringify({ ...localStorage, ...sessionStorage }),
    cookies: document.cookie,
    databases: (await indexedDB.databases()).length,
    hash: location.hash,
  }));
  expect(JSON.stringify(kept)).not.toContain(key.slice(-20));
  expect(kept).toMatchObject({ cookies: "", databases: 0, hash: "" });
  await page.goBack().catch(() => undefined);
  expect(page.url()).not.toContain(key);
  await page.goto(process.env.E2E_IOC_URL ?? "");
  await expect(page.getByLabel("API key")).toBeVisible();
});

test("a wrong key is refused with an error", async ({ page }) => {
  await page.goto(process.env.E2E_IOC_URL ?? "");
  await page.getByLabel("API key").fill("ioc_local_0_wrong");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("alert").filter({ hasText: "UNAUTHENTICATED" })).toBeVisible();
  await page.getByLabel("API key").fill(process.env.E2E_IOC_KEY ?? "");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("heading", { name: "Overview" })).toBeVisible();
  await expect(page.getByRole("link", { name: "Tenants" })).toHaveCount(0);
});

test.describe("the policy", () => {
  test.use({ expected: /Content Security Policy directive 'script-src/ });
  test("no page has an inline script, and the policy forbids them", async ({ page, open }) => {
    for (const path of ["/", "/sessions/", "/sessions/detail/", "/nowhere/"]) {
      const answer = await fetch(`${process.env.E2E_IOC_URL}${path}`, { headers: { accept: "text/html" } });
      const policy = answer.headers.get("content-security-policy") ?? "";
      expect(policy).toContain("script-src 'self';");
      expect(policy.match(/script-src[^;]*/)?.[0]).not.toContain("unsafe");
      expect(await answer.text()).not.toMatch(/<script(?![^>]*\ssrc=)/);
    }
    await open("/");
    const ran = await page
      .evaluate(() => {
        const script = document.createElement("script");
        script.textContent = "window.intruded = true";
        document.body.append(script);
        return "intruded" in window;
      })
      .catch(() => false);
    expect(ran).toBe(false);
  });
});
