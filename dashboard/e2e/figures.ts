import type { Page } from "@playwright/test";
import { type Api, expect, settled, test } from "./world";

/** A smaller number is for trying out the measurement. */
const SESSIONS = Number(process.env.SESSIONS ?? 100_000);
/** The maximum size of a tree of sessions. */
const NODES = 500;
const LOADS = 5;

/** Runs a number of tasks, 16 at a time. */
async function each(count: number, work: (at: number) => Promise<unknown>) {
  let next = 0;
  const one = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: 16 }, one));
}

/** The largest contentful paint of a page, in milliseconds after the navigation. */
async function largestPaint(page: Page): Promise<number> {
  return page.evaluate(
    () =>
      new Promise<number>((resolve) => {
        new PerformanceObserver((list) => resolve(list.getEntries().at(-1)?.startTime ?? Number.NaN)).observe({
          type: "largest-contentful-paint",
          buffered: true,
        });
      }),
  );
}

/** The slowest interaction while `act` runs, in milliseconds until the next paint. */
async function slowest(page: Page, act: () => Promise<void>): Promise<number> {
  await page.evaluate(() => {
    const seen: number[] = [];
    Object.assign(window, { seen });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries())
        if ("interactionId" in entry && entry.interactionId) seen.push(entry.duration);
    }).observe({ type: "event", durationThreshold: 16, buffered: false } as PerformanceObserverInit);
  });
  await act();
  // Entries arrive after the paint that they describe.
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 100))));
  return page.evaluate(() => Math.max(16, ...(window as unknown as { seen: number[] }).seen));
}

function median(figures: number[]): number {
  return figures.toSorted((one, other) => one - other)[Math.floor(figures.length / 2)] ?? Number.NaN;
}

async function tree(api: Api): Promise<string> {
  const made = (title: string, parent_id?: string) =>
    api.call("POST", "/sessions", { title, initial_prompt: "Nothing.", parent_id }).then((made): string => made.id);
  const root = await made("A tree of many");
  const branches: string[] = [];
  await each(40, async (at) => branches.push(await made(`Branch ${at}`, root)));
  await each(NODES - 41, (at) => made(`Leaf ${at}`, branches[at % branches.length]));
  return root;
}

test("performance with many sessions", async ({ page, open, api }) => {
  const root = await tree(api);
  await each(SESSIONS - NODES, (at) =>
    api.call("POST", "/sessions", {
      title: `Session ${at} of many`,
      initial_prompt: "Look for what is slow, and say what it is.",
      tags: [`batch-${at % 100}`],
    }),
  );
  const figures: [string, number, string][] = [];
  for (const [name, path] of [
    ["overview", "/"],
    ["sessions", "/sessions/"],
    ["a session", `/sessions/detail/?id=${root}`],
  ] as const) {
    const paints: number[] = [];
    for (let load = 0; load < LOADS; load++) {
      await open(path);
      await settled(page);
      paints.push(await largestPaint(page));
    }
    figures.push([`largest paint, ${name}`, median(paints), "< 1500 ms"]);
  }

  await open("/sessions/");
  const rows = page.locator("[data-session]");
  await expect(rows.first()).toBeVisible();
  const search = page.getByLabel("Find by title, prompt or id");
  const typed = await slowest(page, () => search.pressSequentially(`Session ${SESSIONS - NODES - 1} of`));
  figures.push(["typing a search", typed, "< 200 ms"]);
  await expect(rows).toHaveCount(1);

  await open("/sessions/");
  await expect(rows.first()).toBeVisible();
  const pages: number[] = [];
  for (let more = 0; more < 20; more++) {
    const asked = page.waitForRequest((request) => request.url().includes("cursor="));
    await page.evaluate(() => {
      const frame = document.querySelector('[role="rowgroup"]');
      frame?.scrollTo(0, frame.scrollHeight);
    });
    const request = await asked;
    await (await request.response())?.finished();
    pages.push(request.timing().responseEnd);
  }
  figures.push(["the next page of the list", median(pages), ""]);
  const select = page.getByLabel("Select all loaded sessions");
  figures.push(["selecting all that are loaded", await slowest(page, () => select.click()), "< 200 ms"]);
  figures.push([
    "opening a session",
    await slowest(page, () => rows.first().getByRole("link").first().click()),
    "< 200 ms",
  ]);

  const asked = Date.now();
  await open(`/sessions/detail/?id=${root}&tab=tree`);
  await expect(page.locator(".react-flow__node").first()).toBeVisible({ timeout: 60_000 });
  figures.push([`a tree of ${NODES} drawn`, Date.now() - asked, ""]);
  const fold = page.getByRole("button", { name: "Fold descendants" }).first();
  figures.push(["folding it", await slowest(page, () => fold.click()), "< 200 ms"]);

  for (const [name, figure, target] of figures)
    process.stdout.write(`| ${name} | ${Math.round(figure)} ms | ${target} |\n`);
});
