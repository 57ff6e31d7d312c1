import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { AxeResults } from "axe-core";
import { PATHS } from "./pages";
import { type Api, ends, expect, good, SERVED, settled, steps, test, train } from "./world";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const TABS = ["files", "tools", "timeline", "checkpoints", "tree"];

/** What the pages of one thing are to show: a session, an agent, a job, a model with two versions, and an experiment. */
async function named(api: Api, session: string): Promise<Record<string, string>> {
  const word = `seen-${session.slice(-8)}`;
  await good(api, word, 3);
  const job = await train(api, word, word);
  const versions = [`${word}@1.0.0`];
  const { version } = await api.call("POST", "/models", { name: word, base_model: word, model_identifier: SERVED });
  versions.push(`${word}@${version}`);
  await api.call("PUT", `/models/${word}/aliases/champion`, { version: "1.0.0" });
  const arms = versions.map((one, at) => ({ name: `arm-${at}`, model: `registry/${one}` }));
  const experiment = await api.call("POST", "/experiments", { name: word, arms });
  await api.call("POST", `/experiments/${experiment.id}/start`);
  await ends(api, "In an experiment", "Done.", { model_identifier: `experiment/${word}` });
  const agent = (await api.call("GET", "/agents")).items[0].id;
  return {
    "/session/": `?id=${session}`,
    "/agent/": `?id=${agent}`,
    "/training/": `?id=${job}`,
    "/model/": `?name=${word}&a=1.0.0&b=${version}`,
    "/experiment/": `?id=${experiment.id}`,
  };
}

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
    const of = await named(api, session);
    const all = [
      ...PATHS.map((path) => path + (of[path] ?? "")),
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
    ["gp", "Marketplace"],
    ["gf", "Fine-tuning"],
    ["gm", "Model registry"],
    ["gx", "Experiments"],
    ["go", "Overview"],
  ] as const) {
    for (const key of keys) await page.keyboard.press(key);
    await expect(page.getByRole("heading", { name: heading, level: 1 })).toBeVisible();
  }
});

test("at 390 px nothing is wider than the screen", async ({ page, open, api }) => {
  test.setTimeout(300_000);
  await page.setViewportSize({ width: 390, height: 844 });
  const session = await api.play("Seen on a telephone", [steps.say("Done.")]);
  await api.reaches(session, "completed");
  const of = await named(api, session);
  for (const path of PATHS) {
    await open(path + (of[path] ?? ""));
    await settled(page);
    const [scrolls, width] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    expect(scrolls, path).toBeLessThanOrEqual(width ?? 0);
  }
});
