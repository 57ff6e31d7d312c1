import { Api, expect, test } from "./world";

test("an agent is registered, its token shown once, and drained", async ({ page, open, api }) => {
  await open("/agents/");
  const name = `E2E-${Date.now()}`;
  await page.getByRole("button", { name: "Register agent" }).click();
  await page.getByLabel("Name").fill(name);
  await page.getByRole("button", { name: "Register", exact: true }).click();
  const token = await page.getByRole("status", { name: "Token" }).textContent();
  expect((token ?? "").length).toBeGreaterThan(20);
  await page.getByRole("button", { name: "Copy" }).click();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(token);
  await page.getByRole("button", { name: "Done" }).click();
  expect(await page.content()).not.toContain(token);

  await page.getByRole("link", { name }).click();
  await expect(page.getByRole("heading", { name })).toBeVisible();
  await page.getByRole("button", { name: "Drain and remove" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Drain" }).click();
  await expect
    .poll(async () =>
      (await api.call("GET", `/agents?q=${name}`)).items.every((one: { state: string }) => one.state !== "active"),
    )
    .toBe(true);
});

test("a key is created, shown once, works, and is refused once revoked", async ({ page, open, api }) => {
  await open("/keys/");
  const name = `key ${Date.now()}`;
  await page.getByRole("button", { name: "Create key" }).click();
  await page.getByLabel("Name").fill(name);
  await page.getByRole("dialog").getByRole("button", { name: "Create key" }).click();
  const secret = (await page.getByRole("status", { name: "Key" }).textContent()) ?? "";
  const made = new Api(api.url, secret, api.tenant);
  expect((await made.call("GET", "/me")).role).toBe("member");
  await page.getByRole("button", { name: "Done" }).click();
  expect(await page.content()).not.toContain(secret);
  await page
    .getByRole("row", { name: new RegExp(name) })
    .getByRole("button", { name: "Revoke" })
    .click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Revoke" }).click();
  await expect(page.getByRole("row", { name: new RegExp(name) })).toContainText("revoked");
  await expect.poll(async () => (await made.ask("GET", "/me")).status).toBe(401);
});

test("an admin creates a tenant, switches to it, and sees only its data", async ({ page, open, api }) => {
  await api.call("POST", "/sessions", { title: "Only of the demo tenant", initial_prompt: "wait" });
  const slug = `tenant-${Date.now()}`;
  await open("/tenants/");
  await expect(page.getByRole("link", { name: "Tenants" })).toBeVisible();
  await page.getByRole("button", { name: "Create tenant" }).click();
  await page.getByLabel("Name").fill("A second one");
  await page.getByLabel("Slug").fill(slug);
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText(slug)).toBeVisible();

  await page.getByRole("button", { name: /^Tenant: Demo/ }).click();
  await page.getByLabel("Find a tenant").last().fill(slug);
  await page.getByRole("button", { name: new RegExp(slug) }).click();
  await expect(page.getByRole("button", { name: /^Tenant: A second one/ })).toBeVisible();
  await page.getByRole("link", { name: "Sessions", exact: true }).click();
  await expect(page.getByText("There are no sessions yet.")).toBeVisible();
  await page.getByRole("link", { name: "New session" }).first().click();
  await page.getByLabel("Title").fill("Of the second tenant");
  await page.getByLabel("Prompt").fill("wait");
  await page.getByRole("button", { name: "Create only" }).click();
  await expect(page.getByRole("heading", { name: "Of the second tenant" })).toBeVisible();
  const second = new Api(api.url, api.key, slug);
  expect((await second.call("GET", "/sessions")).items.map((one: { title: string }) => one.title)).toEqual([
    "Of the second tenant",
  ]);
});

test("the audit log shows changes, and its chain verifies", async ({ page, open }) => {
  await open("/audit/");
  await expect(page.getByRole("row").nth(1)).toBeVisible();
  await page.getByRole("button", { name: "Verify the chain" }).click();
  await expect(page.getByText("the chain is intact")).toBeVisible();
  await page.getByRole("button", { name: "More" }).first().click();
  await expect(page.getByText("hash")).toBeVisible();
});

test("a member is added and changed", async ({ page, open }) => {
  await open("/members/");
  const email = `m${Date.now()}@example.com`;
  await page.getByRole("button", { name: "Add member" }).click();
  await page.getByLabel("Name").fill("Grace");
  await page.getByLabel("E-mail").fill(email);
  await page.getByRole("button", { name: "Add", exact: true }).click();
  const row = page.getByRole("row", { name: new RegExp(email) });
  await row.getByRole("combobox").selectOption("lead");
  await expect(row.getByRole("combobox")).toHaveValue("lead");
  await row.getByRole("button", { name: "Deactivate" }).click();
  await expect(row).toContainText("inactive");
});
