import { expect, steps, test } from "./world";

test("an environment is created, changed, used by a session, and deleted", async ({ page, open, api }) => {
  const name = `env-${Date.now()}`;
  await open("/environments/new/");
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByLabel("Script", { exact: true }).fill("echo ready\n");
  await page.getByLabel("The agent reaches").selectOption("allowlist");
  await page.getByLabel("Listed domains").fill("example.com\nnot a domain");
  await page.getByLabel("Run commands").selectOption("ask");
  await page.getByRole("button", { name: "Create environment" }).click();
  // The API refuses one of the domains, and the form keeps everything else.
  await expect(page.getByText(/^entry 2: /)).toBeVisible();
  await page.getByLabel("Listed domains").fill("example.com");
  await page.getByRole("button", { name: "Create environment" }).click();
  await expect(page.getByRole("heading", { name, level: 1 })).toBeVisible();
  await expect(page.getByRole("region", { name: "Set-up script" })).toHaveText("echo ready\n");

  await page.getByRole("link", { name: "Edit" }).click();
  await page.getByLabel("Rules", { exact: true }).fill("Be brief.");
  await page.getByRole("button", { name: "Save" }).click();
  const versions = page.getByRole("region", { name: "Versions" }).getByRole("listitem");
  await expect(versions).toHaveCount(2);
  await expect(versions.first()).toContainText("rules");

  await page.getByRole("link", { name: "Run a session" }).click();
  await expect(page.getByLabel("Environment", { exact: true })).toHaveValue(name);
  await page.getByLabel("Title").fill(`In ${name}`);
  await page.getByLabel("Prompt").fill("wait");
  await page.getByRole("button", { name: "Create only" }).click();
  await expect(page.getByRole("link", { name: `${name} version 2` })).toBeVisible();

  const { items } = await api.call("GET", "/environments");
  const { id } = items.find((one: { name: string }) => one.name === name);
  await page.goto(`${api.url}/environments/detail/?id=${id}#key=${api.key}`);
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
  await expect(page).toHaveURL(/\/environments\/$/);
  expect((await api.ask("GET", `/environments/${id}`)).status).toBe(404);
});

test("the default environment is that of sessions which name none", async ({ page, open, api }) => {
  const name = `default-${Date.now()}`;
  const { id } = await api.call("POST", "/environments", { name });
  await open(`/environments/detail/?id=${id}`);
  await page.getByRole("button", { name: "Make default" }).click();
  await expect(page.getByText("the tenant's default")).toBeVisible();
  const session = await api.play("Names no environment", [steps.say("ok")], { start: false });
  expect((await api.call("GET", `/sessions/${session}`)).environment.name).toBe(name);
  await page.getByRole("button", { name: "Remove as default" }).click();
  await expect(page.getByRole("button", { name: "Make default" })).toBeVisible();
  await api.call("DELETE", `/environments/${id}`);
});

test("a change that is based on an older version is refused", async ({ page, open, api }) => {
  const name = `twice-${Date.now()}`;
  const { id } = await api.call("POST", "/environments", { name });
  await open(`/environments/edit/?id=${id}`);
  await page.getByLabel("Rules", { exact: true }).fill("Mine.");
  await api.call("PATCH", `/environments/${id}`, { rules: "Theirs." });
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("alert").filter({ hasText: "VERSION_MISMATCH" })).toBeVisible();
  await expect(page.getByLabel("Rules", { exact: true })).toHaveValue("Mine.");
  expect((await api.call("GET", `/environments/${id}`)).rules).toBe("Theirs.");
});
