import { expect, registerRunner, test } from "./world";

test("a runner is enrolled with a command, drained, resumed and removed", async ({ page, open, api }) => {
  const pool = `pool-${Date.now()}`;
  await open("/runners/");
  await page.getByRole("button", { name: "Enrol a runner" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Pool", { exact: true }).fill(pool);
  await dialog.getByRole("button", { name: "Create the command" }).click();
  const command = (await page.getByRole("region", { name: "Command" }).textContent()) ?? "";
  const token = command.match(/IOC_RUNNER_TOKEN=(\S+)/)?.[1] ?? "";
  await page.getByRole("button", { name: "Copy the command" }).click();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(command);

  const registration = page.getByRole("status", { name: "Registration" });
  await expect(registration).toContainText("Waiting for the runner");
  const id = await registerRunner(api, token, `${pool}-a`);
  await expect(registration).toContainText(`${pool}-a has registered: 2 slots`);
  await page.getByRole("button", { name: "Done" }).click();
  expect(await page.content()).not.toContain(token);

  await page.goto(`${api.url}/runners/?pool=${pool}#key=${api.key}`);
  const row = page.getByRole("row", { name: new RegExp(`${pool}-a`) });
  await expect(row).toContainText("The kernel refuses user namespaces.");
  await row.getByRole("button", { name: /^Drain/ }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Drain" }).click();
  await expect(row).toContainText("drained by a lead");
  expect((await api.call("GET", `/runners/${id}`)).drain_requested).toBe(true);
  await row.getByRole("button", { name: /^Resume/ }).click();
  await expect(row.getByRole("button", { name: /^Drain/ })).toBeVisible();

  await row.getByRole("link", { name: `${pool}-a` }).click();
  await expect(page.getByRole("heading", { name: `${pool}-a`, level: 1 })).toBeVisible();
  await expect(page.getByText("It works on no session of this tenant.")).toBeVisible();
  await page.getByRole("button", { name: /^Remove/ }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Remove" }).click();
  await expect(page).toHaveURL(/\/runners\/$/);
  expect((await api.ask("GET", `/runners/${id}`)).status).toBe(404);
});

test("an open enrolment is listed, and its token is refused once it is deleted", async ({ page, open, api }) => {
  const pool = `shut-${Date.now()}`;
  const { token } = await api.call("POST", "/runners/enrolments", { pool, uses: "many" });
  await open("/runners/");
  await page.getByRole("button", { name: `Delete the enrolment of ${pool}` }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
  await expect(page.getByRole("button", { name: `Delete the enrolment of ${pool}` })).toHaveCount(0);
  await expect(registerRunner(api, token, `${pool}-a`)).rejects.toThrow(/401/);
});
