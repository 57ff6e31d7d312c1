import { test as base, expect, type Page } from "@playwright/test";

function environment(name: string): string {
  const value = process.env[`E2E_${name}`];
  if (!value) throw new Error(`${name} is not known: did the host start?`);
  return value;
}

/** The API beside the pages, to set up what a test is not about and to see what came of it. */
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

  // biome-ignore lint/suspicious/noExplicitAny: tests look at few fields of many answers
  async call(method: string, path: string, body?: unknown): Promise<any> {
    const answer = await this.ask(method, path, body);
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : null;
  }

  /** Starts a session whose model plays these steps. */
  async play(title: string, steps: unknown[], more: object = {}): Promise<string> {
    const made = await this.call("POST", "/sessions", {
      title,
      initial_prompt: script(steps),
      agent_config: { agent: "opencode" },
      start: true,
      ...more,
    });
    return made.id;
  }

  async status(id: string): Promise<string> {
    return (await this.call("GET", `/sessions/${id}`)).status;
  }

  async reaches(id: string, ...statuses: string[]) {
    await expect.poll(() => this.status(id), { timeout: 60_000 }).toMatch(new RegExp(`^(${statuses.join("|")})$`));
  }
}

/** A prompt that the scripted model plays. */
export function script(steps: unknown[]): string {
  return `As the script says. @@STUB ${JSON.stringify(steps)} @@`;
}

export const steps = {
  say: (text: string) => ({ text }),
  bash: (command: string) => ({ tool: "bash", args: { command, description: "Run it" } }),
  write: (filePath: string, content: string) => ({ tool: "write", args: { filePath, content } }),
  ask: (question: string, ...labels: string[]) => ({
    tool: "question",
    args: {
      questions: [
        { question, header: "Choice", options: labels.map((label) => ({ label, description: `take ${label}` })) },
      ],
    },
  }),
};

interface World {
  api: Api;
  /** Opens a page of the dashboard, signed in as the demo tenant's admin. */
  open(path: string): Promise<void>;
  /** What else the console may say in this test. */
  expected: RegExp;
}

/** What the console may say: that a socket or an unknown object answered 404 is for the page to show, not an error of it. */
const EXPECTED = /Failed to load resource|WebSocket connection to/;

export const test = base.extend<World & { clean: undefined }>({
  expected: [/^$/, { option: true }],
  // biome-ignore lint/correctness/noEmptyPattern: Playwright reads what a fixture needs from its first parameter
  api: async ({}, use) => use(new Api()),
  open: async ({ page }, use) => {
    await use(async (path) => {
      // A change of the fragment alone is no navigation.
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

/** Waits until nothing on the page is being loaded for the first time. */
export async function settled(page: Page) {
  await expect(page.getByRole("status", { name: "Loading" })).toHaveCount(0);
}

export { expect };
