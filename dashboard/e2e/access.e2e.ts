import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { AxeResults } from "axe-core";
import { PATHS } from "./pages";
import { expect, settled, steps, test } from "./world";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const TABS = ["files", "tools", "timeline", "checkpoints", "tree"];

for (const theme of ["dark", "light"] as const) {
  test(`axe finds nothing serious on any page, ${theme}`, async ({ page, open, api }) => {
    test.setTimeout(600_000);
    await page.addInitScript((theme) => {
      try {
        localStorage.setItem("theme", theme);
      } catch {}
    }, theme);
    const session = await api.play(`Seen by axe, ${theme}`, [steps.write("a.txt", "a\n"), steps.say("Done.")]);
    await api.reaches(session, "completed");
    const asks = await api.play(`Asks, ${theme}`, [steps.ask("Which?", "a", "b")]);
    await api.reaches(asks, "paused");
    const agent = (await api.call("GET", "/agents")).items[0].id;
    const named: Record<string, string> = { "/session/": `?id=${session}`, "/agent/": `?id=${agent}` };
    const all = [
      ...PATHS.map((path) => path + (named[path] ?? "")),
      ...TABS.map((tab) => `/session/?id=${session}&tab=${tab}`),
      `/session/?id=${asks}`,
    ];
    for (const path of all) {
      await open(path);
      await settled(page);
      await expect(page.getByRole("main")).not.toBeEmpty();
      await page.evaluate(AXE);
      const { violations } = await page.evaluate(async () => {
        const { axe } = window as unknown as { axe: { run(): Promise<AxeResults> } };
        return axe.run();
      });
      const serious = violations
        .filter((one) => one.impact === "serious" || one.impact === "critical")
        .map((one) => `${one.id}: ${one.nodes.map((node) => `${node.target} ${node.failureSummary}`).join("; ")}`);
      expect(serious, `${theme} ${path}`).toEqual([]);
    }
  });
}

test("help opens with ?, and names the ways to every page", async ({ page, open }) => {
  await open("/");
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog", { name: "Keyboard" })).toContainText("Go to");
  await page.keyboard.press("Escape");
  for (const [keys, heading] of [
    ["gs", "Sessions"],
    ["ga", "Agents"],
    ["gk", "API keys"],
    ["go", "Overview"],
  ] as const) {
    for (const key of keys) await page.keyboard.press(key);
    await expect(page.getByRole("heading", { name: heading, level: 1 })).toBeVisible();
  }
});

test("at 390 px nothing is wider than the screen", async ({ page, open, api }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  const session = await api.play("Seen on a telephone", [steps.say("Done.")]);
  await api.reaches(session, "completed");
  const agent = (await api.call("GET", "/agents")).items[0].id;
  for (const path of PATHS) {
    await open(path === "/session/" ? `${path}?id=${session}` : path === "/agent/" ? `${path}?id=${agent}` : path);
    await settled(page);
    const [scrolls, width] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    expect(scrolls, path).toBeLessThanOrEqual(width ?? 0);
  }
});
