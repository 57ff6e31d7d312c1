import { test as base, expect, type Page } from "@playwright/test";

function environment(name: string): string {
  const value = process.env[`E2E_${name}`];
  if (!value) throw new Error(`${name} is not known: did the host start?`);
  return value;
}

/** A client for the API, to prepare data and to check results. */
export class Api {
  constructor(
    readonly url = environment("IOC_URL"),
    readonly key = environment("IOC_ADMIN_KEY"),
    readonly tenant = environment("IOC_TENANT"),
  ) {}

  async ask(method: string, path: string, body?: unknown): Promise<Response> {
    return fetch(`${this.url}/api/v1${path}`, {
      method,
      headers: {
        Authorization: `Bearer ${this.key}`,
        "X-Tenant-ID": this.tenant,
        ...(body !== undefined && { "Content-Type": "application/json" }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  }

  // biome-ignore lint/suspicious/noExplicitAny: tests use few fields of many responses
  async call(method: string, path: string, body?: unknown): Promise<any> {
    const answer = await this.ask(method, path, body);
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : null;
  }

  /** Starts a session whose scripted model performs these steps. */
  async play(title: string, steps: unknown[], more: object = {}): Promise<string> {
    const made = await this.call("POST", "/sessions", {
      title,
      initial_prompt: script(steps),
      agent_config: { agent: "LOCAL-OPENCODE" },
      start: true,
      ...more,
    });
    return made.id;
  }

  async status(id: string): Promise<string> {
    return (await this.call("GET", `/sessions/${id}`)).status;
  }

  async reaches(id: string, ...statuses: string[]) {
    await expect.poll(() => this.status(id), { timeout: 120_000 }).toMatch(new RegExp(`^(${statuses.join("|")})$`));
  }
}

/** A second name of the scripted model, which registered versions are served as. */
export const SERVED = "stub/stub-2";

/** Completes a session through the API, without an agent. */
export async function ends(api: Api, title: string, text: string, more: object = {}): Promise<string> {
  const { id } = await api.call("POST", "/sessions", {
    title,
    initial_prompt: `${title}.`,
    agent_config: { agent: "manual" },
    start: true,
    ...more,
  });
  // A session is running from its admission on; its model is resolved shortly later, at the handover.
  const handedOver = async () => {
    const { status, model_identifier, resolved_model } = await api.call("GET", `/sessions/${id}`);
    return status === "running" && (!model_identifier || Boolean(resolved_model));
  };
  await expect.poll(handedOver, { timeout: 120_000, intervals: [50, 100, 250] }).toBe(true);
  await api.call("POST", `/sessions/${id}/complete`, { result: { text }, success_rate: 1 });
  return id;
}

/** Completes sessions with a tag and different messages, to train on. */
export async function good(api: Api, tag: string, count: number): Promise<string[]> {
  const words = ["parser", "cache", "scheduler", "uploader", "invoice", "router", "linter", "archive"];
  const ids: string[] = [];
  for (let at = 0; at < count; at++) {
    const word = `${words[at % words.length]} ${at}`;
    ids.push(
      await ends(api, `Mend the ${word}`, `The ${word} holds again: write to ops${at}@example.com.`, { tags: [tag] }),
    );
  }
  return ids;
}

/** Trains a model on the sessions with a tag, and waits until the job ends. */
export async function train(
  api: Api,
  model: string,
  tag: string,
  extra: object = {},
  parameters: object = {},
): Promise<string> {
  const { id } = await api.call("POST", "/fine-tuning/jobs", {
    base_model: "tiny-instruct",
    target_model_name: model,
    provider: "simulated",
    dataset: { tags: [tag] },
    parameters: { ...parameters, extra: { duration_seconds: 1, serves_as: SERVED, ...extra } },
  });
  await api.call("POST", `/fine-tuning/jobs/${id}/start`);
  await expect
    .poll(
      async () => {
        const { status } = await api.call("GET", `/fine-tuning/jobs/${id}`);
        if (status === "running") await api.call("POST", "/fine-tuning/jobs/poll");
        return status;
      },
      { timeout: 90_000, intervals: [1000] },
    )
    .toMatch(/completed|failed/);
  return id;
}

/** An agent of the External Agent Protocol whose part the test plays. */
export class PlayedAgent {
  private constructor(
    private readonly api: Api,
    readonly name: string,
    private readonly id: string,
    private readonly token: string,
  ) {}

  static async register(api: Api, name: string): Promise<PlayedAgent> {
    const agent = { name, kind: "eap", agent_type: "implementer", capabilities: ["code_generation"] };
    const { id, auth_token } = await api.call("POST", "/agents", agent);
    return new PlayedAgent(api, name, id, auth_token);
  }

  // biome-ignore lint/suspicious/noExplicitAny: tests use few fields of many responses
  private async call(path: string, body: object): Promise<any> {
    const response = await fetch(`${this.api.url}/api/v1/agents/external/${this.id}${path}`, {
      method: "POST",
      headers: { "X-Agent-Token": this.token, "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
    return text ? JSON.parse(text) : null;
  }

  /** Waits for a task, and returns it. */
  // biome-ignore lint/suspicious/noExplicitAny: the same
  async claim(): Promise<any> {
    for (let attempt = 0; attempt < 12; attempt++) {
      const claimed = await this.call("/tasks/claim", { wait_seconds: 10, max: 1 });
      if (claimed) return claimed.tasks[0];
    }
    throw new Error(`${this.name} got no task`);
  }

  report(task: { task_id: string; lease: { token: number } }, body: object) {
    return this.call(`/tasks/${task.task_id}/progress`, { lease_token: task.lease.token, ...body });
  }

  finish(task: { task_id: string; lease: { token: number } }, text: string) {
    return this.call(`/tasks/${task.task_id}/result`, {
      task_id: task.task_id,
      lease_token: task.lease.token,
      status: "completed",
      output_data: { text },
    });
  }
}

/** Registers a runner with a token, as the runner's program does. Returns its id. */
export async function registerRunner(api: Api, token: string, name: string): Promise<string> {
  const response = await fetch(`${api.url}/api/v1/runners/register`, {
    method: "POST",
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
    body: JSON.stringify({
      name,
      version: "0.2.0",
      os: "linux",
      arch: "x86_64",
      labels: { zone: "eu-1" },
      slots: 2,
      isolation: "process",
      isolation_reason: "The kernel refuses user namespaces.",
      programs: [{ program: "claude-code", version: "2.1" }],
      protocol_version: "1.1",
    }),
  });
  if (!response.ok) throw new Error(`The runner cannot register: ${response.status} ${await response.text()}`);
  return (await response.json()).runner_id;
}

/** A prompt with steps for the scripted model. */
export function script(steps: unknown[]): string {
  return `As the script says. @@STUB ${JSON.stringify(steps)} @@`;
}

export const steps = {
  say: (text: string) => ({ text }),
  bash: (command: string) => ({ tool: "bash", args: { command, description: "Run it" } }),
  write: (filePath: string, content: string) => ({ tool: "write", args: { filePath, content } }),
  ask: (question: string, ...options: string[]) => ({ tool: "ask_person", args: { question, options } }),
};

interface World {
  api: Api;
  /** Opens a page of the dashboard, signed in as the demo tenant's admin. */
  open(path: string): Promise<void>;
  /** Console errors that this test expects. */
  expected: RegExp;
}

/** Console errors that every test expects: the browser logs refused sockets and 404 responses, which pages handle. */
const EXPECTED = /Failed to load resource|WebSocket connection to/;

export const test = base.extend<World & { clean: undefined }>({
  expected: [/^$/, { option: true }],
  // biome-ignore lint/correctness/noEmptyPattern: Playwright derives a fixture's dependencies from this parameter
  api: async ({}, use) => use(new Api()),
  open: async ({ page }, use) => {
    await use(async (path) => {
      // A change of the fragment alone does not navigate.
      await page.goto("about:blank");
      await page.goto(`${environment("IOC_URL")}${path}#key=${environment("IOC_ADMIN_KEY")}`);
      await expect(
        page
          .getByRole("navigation", { name: "Main" })
          .or(page.getByRole("button", { name: "Menu" }))
          .first(),
      ).toBeVisible();
    });
  },
  clean: [
    async ({ page, expected }, use) => {
      const wrong: string[] = [];
      page.on("pageerror", (error) => wrong.push(String(error)));
      page.on("console", (message) => {
        if (message.type() === "error" && !EXPECTED.test(message.text()) && !expected.test(message.text()))
          wrong.push(message.text());
      });
      await use(undefined);
      expect(wrong, "what the console complains about").toEqual([]);
    },
    { auto: true },
  ],
});

/** Waits until the page shows no loading placeholder. */
export async function settled(page: Page) {
  await expect(page.getByRole("status", { name: "Loading" })).toHaveCount(0);
}

export { expect };
