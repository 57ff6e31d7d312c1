import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Page } from "@playwright/test";
import type { AxeResults } from "axe-core";
import { PATHS } from "./pages";
import { type Api, ends, expect, good, registerRunner, SERVED, settled, steps, test, train } from "./world";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const TABS = ["files", "tools", "timeline", "checkpoints", "tree"];

/** Creates a job, a model with two versions and an experiment. Returns the query of the address of each detail page. */
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
  const { token } = await api.call("POST", "/runners/enrolments", { pool: word });
  const runner = await registerRunner(api, token, word);
  const environment = await api.call("POST", "/environments", {
    name: word,
    setup: { script: "true" },
    rules: "Be brief.",
  });
  return {
    "/sessions/detail/": `?id=${session}`,
    "/agents/detail/": `?id=${agent}`,
    "/runners/detail/": `?id=${runner}`,
    "/environments/detail/": `?id=${environment.id}`,
    "/environments/edit/": `?id=${environment.id}`,
    "/fine-tuning/detail/": `?id=${job}`,
    "/models/detail/": `?name=${word}&a=1.0.0&b=${version}`,
    "/experiments/detail/": `?id=${experiment.id}`,
  };
}

/** The index of components, which always shows a sample of a page that is loading. */
const INDEX = "/components/";

async function loaded(page: Page, path: string) {
  if (path === INDEX) await expect(page.getByRole("heading", { name: "Components" })).toBeVisible();
  else await settled(page);
}

async function chooseTheme(page: Page, theme: string) {
  await page.addInitScript((theme) => {
    try {
      localStorage.setItem("theme", theme);
    } catch {}
  }, theme);
}

async function seriousViolations(page: Page, within = "html"): Promise<string[]> {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(async (within) => {
    const { axe } = window as unknown as { axe: { run(within: string): Promise<AxeResults> } };
    return axe.run(within);
  }, within);
  return violations
    .filter((one) => one.impact === "serious" || one.impact === "critical")
    .map((one) => `${one.id}: ${one.nodes.map((node) => `${node.target} ${node.failureSummary}`).join("; ")}`);
}

for (const theme of ["dark", "light"] as const) {
  test(`axe finds nothing serious on any page, ${theme}`, async ({ page, open, api }) => {
    test.setTimeout(600_000);
    await chooseTheme(page, theme);
    const session = await api.play(`Seen by axe, ${theme}`, [steps.write("a.txt", "a\n"), steps.say("Done.")]);
    await api.reaches(session, "completed");
    const asks = await api.play(`Asks, ${theme}`, [steps.ask("Which?", "a", "b")]);
    await api.reaches(asks, "paused");
    const of = await named(api, session);
    const all = [
      ...PATHS.map((path) => path + (of[path] ?? "")),
      ...TABS.map((tab) => `/sessions/detail/?id=${session}&tab=${tab}`),
      `/sessions/detail/?id=${asks}`,
    ];
    for (const path of all) {
      await open(path);
      await loaded(page, path);
      await expect(page.getByRole("main")).not.toBeEmpty();
      expect(await seriousViolations(page), `${theme} ${path}`).toEqual([]);
    }
  });

  test(`axe finds nothing serious in dialogs, menus and messages, ${theme}`, async ({ page, open }) => {
    await chooseTheme(page, theme);
    await open(INDEX);
    const samples = page.getByRole("region", { name: `The ${theme} theme` });
    await samples.getByRole("button", { name: "Show a message" }).click();
    await samples.getByRole("button", { name: "Show an error message" }).click();
    await expect(page.getByText("The change was refused.")).toBeVisible();
    expect(await seriousViolations(page), "messages").toEqual([]);
    for (const [button, role] of [
      ["Open a form", "dialog"],
      ["Ask for confirmation", "alertdialog"],
      [/^Colour/, "menu"],
    ] as const) {
      await samples.getByRole("button", { name: button }).click();
      await expect(page.getByRole(role)).toBeVisible();
      // An open menu hides the page from screen readers, but axe recognizes only dialogs as modal.
      expect(await seriousViolations(page, role === "menu" ? "[role=menu]" : "html"), role).toEqual([]);
      await page.keyboard.press("Escape");
      await expect(page.getByRole(role)).toHaveCount(0);
    }
  });
}

test("the shortcut help opens with ?, and shortcuts reach every page", async ({ page, open }) => {
  await open("/");
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog", { name: "Keyboard" })).toContainText("Go to");
  await page.keyboard.press("Escape");
  for (const [keys, heading] of [
    ["gs", "Sessions"],
    ["ga", "Agents"],
    ["gr", "Runners"],
    ["ge", "Environments"],
    ["gc", "Secrets"],
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

test("no page is wider than a screen of 390 px", async ({ page, open, api }) => {
  test.setTimeout(300_000);
  await page.setViewportSize({ width: 390, height: 844 });
  const session = await api.play("Seen on a telephone", [steps.say("Done.")]);
  await api.reaches(session, "completed");
  const of = await named(api, session);
  for (const path of PATHS) {
    await open(path + (of[path] ?? ""));
    await loaded(page, path);
    const [scrolls, width] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    expect(scrolls, path).toBeLessThanOrEqual(width ?? 0);
  }
});
