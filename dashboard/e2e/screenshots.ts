import { mkdirSync } from "node:fs";
import type { Page } from "@playwright/test";
import { type Api, ends, expect, good, registerRunner, settled, steps, test, train } from "./world";

const FOLDER = new URL("../../docs/screenshots/", import.meta.url).pathname;

const TITLES = [
  "Upgrade the HTTP client to 2.x",
  "Fix the flaky upload test",
  "Add rate limits to /export",
  "Remove the legacy billing flag",
  "Port the cron jobs to the scheduler",
  "Explain the retry storm of Tuesday",
];

/** Creates sessions in several states, so that no page is empty. */
async function furnish(api: Api) {
  const tags = (at: number) => [["nightly", "api", "database", "ops"][at % 4] ?? "api"];
  const work = TITLES.map((title, at) =>
    api.play(
      title,
      [
        { ...steps.bash("ls"), say: "I look around first." },
        {
          ...steps.write(`notes/${at}.md`, `# ${title}\n\nWhat was found, and what was changed.\n`),
          say: "I write down what I found.",
        },
        steps.say(`${title}: done.`),
      ],
      { tags: tags(at), priority: at % 3 === 0 ? "high" : "medium" },
    ),
  );
  const done = await Promise.all(work);
  await Promise.all(done.map((id) => api.reaches(id, "completed")));
  const failed = await api.play("Call the pricing service", [{ status: 401 }], { tags: ["nightly"] });
  const asks = await api.play(
    "Choose the index for order lookups",
    [
      {
        ...steps.ask(
          "Lookups filter by customer and by state. Which index shall I build?",
          "one over both",
          "two single ones",
        ),
        say: "I have read the queries.",
      },
      steps.say("Built."),
    ],
    { priority: "critical", tags: ["database"] },
  );
  await api.reaches(failed, "failed");
  await api.reaches(asks, "paused");
  const root = await api.play("Split the billing module", [steps.say("Planned: three parts.")], {
    session_type: "planning",
  });
  for (const part of ["Extract the invoice model", "Move the tax rules", "Replace the scheduler"]) {
    const child = await api.play(part, [steps.say("ok")], { parent_id: root, start: part.startsWith("Extract") });
    for (const leaf of ["Contract tests", "Callers"])
      await api.play(`${leaf}: ${part.toLowerCase()}`, [steps.say("ok")], { parent_id: child, start: false });
  }
  for (const title of ["Migrate the reporting jobs", "Trace the memory growth of the importer"]) {
    await api.reaches(await api.play(title, [steps.bash("sleep 280"), steps.say("ok")]), "running");
  }
  for (const [full_name, email, role] of [
    ["Ada Okafor", "ada@example.com", "lead"],
    ["Jonas Berg", "jonas@example.com", "member"],
  ]) {
    await api.call("POST", "/users", { full_name, email, role });
  }
  await api.call("POST", "/api-keys", { name: "CI, main branch", role: "member" });
  await api.call("POST", "/tenants", { name: "Research", slug: "research" });
  await api.call("POST", "/agents", {
    name: "REVIEWER-7",
    kind: "eap",
    agent_type: "reviewer",
    capabilities: ["code_review", "security_audit"],
  });
  return { done: done[0] ?? "", asks, root };
}

/** Creates a model with two versions, a running job, and an experiment that compares the versions. */
async function teach(api: Api) {
  await good(api, "reviews", 8);
  const first = await train(api, "reviewer", "reviews", { steps: 80 });
  await train(api, "reviewer", "reviews", { steps: 80 }, { seed: 7 });
  await api.call("PUT", "/models/reviewer/aliases/champion", { version: "1.0.0" });
  const { items } = await api.call("GET", "/models/reviewer/versions");
  const newest = items[0].version;
  await api.call("PUT", "/models/reviewer/aliases/challenger", { version: newest });
  await api.call("PATCH", `/models/reviewer/versions/${newest}`, { notes: "The same data, with another seed." });
  const job = (target_model_name: string, parameters: object, dataset: object) =>
    api.call("POST", "/fine-tuning/jobs", {
      base_model: "tiny-instruct",
      provider: "simulated",
      target_model_name,
      parameters,
      dataset,
    });
  await job("planner", { epochs: 5 }, {});
  const failed = await job("planner", {}, { tags: ["nobody"] });
  await api.call("POST", `/fine-tuning/jobs/${failed.id}/start`);
  const long = await job("planner", { extra: { duration_seconds: 900, steps: 120 } }, { tags: ["reviews"] });
  await api.call("POST", `/fine-tuning/jobs/${long.id}/start`);
  const experiment = await api.call("POST", "/experiments", {
    name: "seed-7",
    description: "Does another seed make better reviews?",
    target: "registry/reviewer@champion",
    arms: [
      { name: "control", model: "registry/reviewer@champion" },
      { name: "variant", model: "registry/reviewer@challenger" },
    ],
    guardrails: [{ metric: "success_rate", limit: 0.6, min_sessions: 50 }],
  });
  await api.call("POST", `/experiments/${experiment.id}/start`);
  for (let at = 1; at <= 8; at++)
    await ends(api, `Review change ${at}`, "It is good.", { model_identifier: "registry/reviewer@champion" });
  return { job: first, experiment: experiment.id, newest };
}

async function shoot(page: Page, name: string) {
  await settled(page);
  // Fonts, charts and the graph appear slightly later than the rest of the page.
  await page.evaluate(() => document.fonts.ready);
  await page.waitForTimeout(400);
  await page.screenshot({ path: `${FOLDER}${name}.jpg`, type: "jpeg", quality: 72 });
}

test("every page in both themes", async ({ page, open, api }) => {
  mkdirSync(FOLDER, { recursive: true });
  const { job, experiment, newest } = await teach(api);
  const { done, asks, root } = await furnish(api);
  const agent = (await api.call("GET", "/agents")).items[0].id;
  const { token } = await api.call("POST", "/runners/enrolments", { pool: "build-farm", uses: "many" });
  const runner = await registerRunner(api, token, "build-1");
  await registerRunner(api, token, "build-2");
  const { id: environment } = await api.call("POST", "/environments", {
    name: "backend",
    repositories: [{ url: "https://git.example.com/platform/billing.git" }],
    setup: { script: "npm ci\nnpm run build\n" },
    variables: { NODE_ENV: "test" },
    secrets: ["NPM_TOKEN"],
    network: { setup: "allowlist", agent: "none", domains: ["registry.example.org"] },
    agent: { program: "claude-code", permissions: { execute: "ask", default: "allow" } },
  });
  for (const name of ["NPM_TOKEN", "ANTHROPIC_API_KEY"])
    await api.call("PUT", `/secrets/tenant/${name}`, { value: "not a real one" });
  const pages: [string, string][] = [
    ["overview", "/"],
    ["sessions", "/sessions/"],
    ["new-session", "/sessions/new/"],
    ["session", `/sessions/detail/?id=${done}`],
    ["session-question", `/sessions/detail/?id=${asks}`],
    ["session-files", `/sessions/detail/?id=${done}&tab=files`],
    ["session-timeline", `/sessions/detail/?id=${done}&tab=timeline`],
    ["session-checkpoints", `/sessions/detail/?id=${done}&tab=checkpoints`],
    ["session-tree", `/sessions/detail/?id=${root}&tab=tree`],
    ["agents", "/agents/"],
    ["agent", `/agents/detail/?id=${agent}`],
    ["runners", "/runners/"],
    ["runner", `/runners/detail/?id=${runner}`],
    ["environments", "/environments/"],
    ["environment", `/environments/detail/?id=${environment}`],
    ["edit-environment", `/environments/edit/?id=${environment}`],
    ["secrets", "/secrets/"],
    ["marketplace", "/marketplace/"],
    ["fine-tuning", "/fine-tuning/"],
    ["new-job", "/fine-tuning/new/"],
    ["fine-tuning-job", `/fine-tuning/detail/?id=${job}`],
    ["models", "/models/"],
    ["model", "/models/detail/?name=reviewer"],
    ["model-compare", `/models/detail/?name=reviewer&a=1.0.0&b=${newest}`],
    ["experiments", "/experiments/"],
    ["experiment", `/experiments/detail/?id=${experiment}`],
    ["quotas", "/quotas/"],
    ["members", "/members/"],
    ["keys", "/keys/"],
    ["audit", "/audit/"],
    ["tenants", "/tenants/"],
  ];
  for (const theme of ["dark", "light"]) {
    await page.setViewportSize({ width: 1440, height: 900 });
    await open("/");
    await page.evaluate((theme) => localStorage.setItem("theme", theme), theme);
    for (const [name, path] of pages) {
      await open(path);
      await expect(page.getByRole("main")).not.toBeEmpty();
      await shoot(page, `${name}-${theme}`);
    }
    await page.setViewportSize({ width: 390, height: 844 });
    for (const [name, path] of pages.filter(([name]) =>
      ["overview", "sessions", "session-question", "fine-tuning-job"].includes(name),
    )) {
      await open(path);
      await shoot(page, `${name}-narrow-${theme}`);
    }
  }
});
