import { expect, test } from "./world";

test("a secret is stored once, listed without its value, replaced and deleted", async ({ page, open, api }) => {
  const name = `TOKEN_${Date.now()}`;
  const value = `value-${Date.now()}`;
  await open("/secrets/");
  await page.getByRole("button", { name: "New secret" }).click();
  const field = (label: string) => page.getByRole("dialog").getByLabel(label, { exact: true });
  await field("Name").fill(name);
  await field("Scope").selectOption("tenant");
  await field("Kind").selectOption("git");
  await field("Host").fill("git.example.com");
  await field("Value").fill(value);
  await page.getByRole("button", { name: "Store" }).click();
  const row = page.getByRole("row", { name: new RegExp(name) });
  await expect(row).toContainText("git.example.com");
  expect(await page.content()).not.toContain(value);
  expect(JSON.stringify(await api.call("GET", "/secrets"))).not.toContain(value);

  await row.getByRole("button", { name: /^Replace/ }).click();
  await expect(field("Value")).toHaveValue("");
  await field("Seen by").selectOption("both");
  await field("Value").fill(`${value}-2`);
  await page.getByRole("dialog").getByRole("button", { name: "Replace" }).click();
  await expect(row).toContainText("The set-up script and the agent");

  await row.getByRole("button", { name: /^Delete/ }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
  await expect(row).toHaveCount(0);
  const { items } = await api.call("GET", "/secrets");
  expect(items.map((one: { name: string }) => one.name)).not.toContain(name);
});
