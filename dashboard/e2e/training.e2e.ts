import { Api, ends, expect, good, SERVED, script, settled, steps, test } from "./world";

test("successful sessions are trained into a model that runs a session", async ({ page, open, api }) => {
  test.setTimeout(240_000);
  const tag = `train${Date.now()}`;
  const model = `reviewer-${Date.now()}`;
  const sessions = await good(api, tag, 5);
  const agent = await api.play("Mend the parser once more", [steps.say("Done as ever.")], { tags: [tag] });
  const twice = await api.play("Mend the parser once more", [steps.say("Done as ever.")], { tags: [tag] });
  await api.reaches(agent, "completed");
  await api.reaches(twice, "completed");
  await ends(api, "Of another tag", "Done.");

  await open("/");
  await page.keyboard.press("g");
  await page.keyboard.press("f");
  await page.getByRole("link", { name: "New job" }).click();
  await page.getByLabel("Model", { exact: true }).fill(model);
  await page.getByLabel("Base model").fill("tiny-instruct");
  await page.getByLabel("Provider").selectOption("simulated");
  await page.getByLabel("Tags").fill(tag);
  await page.getByLabel("Extra, as JSON").fill("{");
  await page.getByRole("button", { name: "Preview the dataset" }).click();
  const preview = page.getByRole("region", { name: "Dataset preview" });
  const left = preview.getByRole("region", { name: "Left out" });
  await expect(left).toContainText("the same messages as a newer session");
  await expect(left).toContainText("does not match the type, tags, model or period");
  await expect(preview.getByRole("region", { name: "Redacted" })).toContainText("email");
  await expect(preview.getByText("Samples", { exact: true }).locator("..")).toContainText("6");

  await page.getByRole("button", { name: "Start training" }).click();
  await expect(page.getByText("A JSON object is expected")).toBeVisible();
  await page.getByLabel("Extra, as JSON").fill(JSON.stringify({ duration_seconds: 12, steps: 40, serves_as: SERVED }));
  await page.getByRole("button", { name: "Start training" }).click();

  await expect(page.getByRole("heading", { name: model, level: 1 })).toBeVisible();
  const status = page.locator("main [data-status]").first();
  await expect(status).toHaveAttribute("data-status", "running", { timeout: 30_000 });
  await expect(page.getByRole("button", { name: "Start", exact: true })).toHaveCount(0);
  const curve = page.getByRole("img", { name: /^The training loss went from/ });
  await expect(async () => {
    await page.getByRole("button", { name: "Poll now" }).click();
    await expect(curve).toBeVisible({ timeout: 3000 });
  }).toPass({ timeout: 30_000 });
  const before = await curve.getAttribute("aria-label");
  await expect(status).toHaveAttribute("data-status", "completed", { timeout: 120_000 });
  await expect(curve).not.toHaveAttribute("aria-label", before ?? "");
  await page.getByRole("button", { name: "Show the values" }).click();
  const figures = page.getByRole("table", { name: /^Values/ });
  await expect(figures.getByRole("row", { name: /^40 \d/ })).toHaveCount(1);
  await expect(page.getByRole("list", { name: "Log of the job" })).toContainText(`Registered as ${model}@1.0.0.`);
  await expect(page.getByRole("region", { name: "Dataset", exact: true })).toContainText("SHA-256");
  await expect(page.getByRole("button", { name: "Cancel job" })).toHaveCount(0);

  await page.getByRole("link", { name: `${model}@1.0.0` }).click();
  await expect(page.getByRole("region", { name: "Version 1.0.0" })).toContainText(SERVED);
  await page.getByRole("button", { name: "Promote" }).click();
  await page.getByLabel("Alias", { exact: true }).fill("champion");
  await page.getByRole("button", { name: "Set alias" }).click();
  const aliases = page.getByRole("region", { name: "Aliases" });
  await expect(aliases).toContainText("champion");
  await aliases.getByRole("link", { name: "Run a session" }).click();
  await expect(page.getByLabel("Model", { exact: true })).toHaveValue(`registry/${model}@champion`);
  await page.getByLabel("Title").fill("Run on what was trained");
  await page.getByLabel("Prompt").fill(script([steps.say("I am the reviewer.")]));
  await page.getByLabel("Agent", { exact: true }).selectOption("LOCAL-OPENCODE");
  await page.getByRole("button", { name: "Start session" }).click();
  await expect(page.locator("main [data-status]").first()).toHaveAttribute("data-status", "completed", {
    timeout: 120_000,
  });
  await expect(page.getByRole("region", { name: "Run" }).getByRole("link", { name: `${model}@1.0.0` })).toBeVisible();

  // The lineage from the session to the model.
  await open(`/sessions/detail/?id=${sessions[0]}`);
  await page.getByRole("region", { name: "Models trained on it" }).getByRole("link").click();
  const lineage = page.getByRole("region", { name: "Lineage" });
  await expect(lineage.getByRole("listitem")).toHaveCount(6);
  await expect(lineage.locator(`a[href="/sessions/detail/?id=${sessions[0]}"]`)).toBeVisible();
  await lineage.getByRole("link").first().click();
  await expect(page.getByRole("heading", { name: model, level: 1 })).toBeVisible();
  await expect(status).toHaveAttribute("data-status", "completed");
});

test("a job is cancelled and retried, and a failed one shows its remedy", async ({ page, open, api }) => {
  test.setTimeout(180_000);
  const tag = `cancel${Date.now()}`;
  const model = `cancelled-${Date.now()}`;
  await good(api, tag, 1);
  const job = (extra: object, tags: string[]) =>
    api.call("POST", "/fine-tuning/jobs", {
      base_model: "tiny-instruct",
      target_model_name: model,
      provider: "simulated",
      dataset: { tags },
      parameters: { extra },
    });
  const long = await job({ duration_seconds: 600 }, [tag]);
  await open(`/fine-tuning/detail/?id=${long.id}`);
  const status = page.locator("main [data-status]").first();
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await expect(status).toHaveAttribute("data-status", "running", { timeout: 30_000 });
  await page.getByRole("button", { name: "Cancel job" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Cancel job" }).click();
  await expect(status).toHaveAttribute("data-status", "cancelled");
  await page.getByRole("button", { name: "Retry" }).click({ timeout: 120_000 });
  await expect(status).toHaveAttribute("data-status", "pending");

  const none = await job({}, ["nobody-has-this-tag"]);
  await api.call("POST", `/fine-tuning/jobs/${none.id}/start`);
  await open(`/fine-tuning/detail/?id=${none.id}`);
  await expect(page.getByRole("region", { name: "What went wrong" })).toContainText("NO_SAMPLES", { timeout: 30_000 });
  await open("/fine-tuning/");
  await page.getByRole("button", { name: "State" }).click();
  await page.getByRole("menuitemcheckbox", { name: "failed" }).click();
  await page.keyboard.press("Escape");
  await page.getByLabel("Find by model or id").fill(model);
  const rows = page.getByRole("table", { name: "Fine-tuning jobs" }).getByRole("row");
  await expect(rows).toHaveCount(2);
  await expect(rows.nth(1)).toContainText("NO_SAMPLES");
});

test("a preview needs consent, which a lead can give and a viewer cannot", async ({ page, open, api }) => {
  const slug = `consent-${Date.now()}`;
  await api.call("POST", "/tenants", { name: "Undecided", slug });
  const there = new Api(api.url, api.key, slug);
  const lead = await there.call("POST", "/api-keys", { name: "Lead", role: "lead" });
  const viewer = await there.call("POST", "/api-keys", { name: "Viewer", role: "viewer" });
  await page.goto("about:blank");
  await page.goto(`${api.url}/fine-tuning/#key=${viewer.secret}`);
  const consent = page.getByRole("region", { name: "Consent to training" });
  await expect(consent).toContainText("A lead or an admin of the tenant can agree here.");
  await expect(consent.getByRole("button")).toHaveCount(0);
  await expect(page.getByRole("link", { name: "New job" })).toHaveCount(0);

  await page.goto("about:blank");
  await page.goto(`${api.url}/fine-tuning/new/#key=${lead.secret}`);
  const preview = page.getByRole("region", { name: "Dataset preview" });
  await page.getByLabel("Model", { exact: true }).fill("reviewer");
  await page.getByLabel("Base model").fill("tiny-instruct");
  await preview.getByRole("button").click();
  await expect(preview.getByRole("alert")).toContainText("NO_CONSENT");
  await consent.getByRole("button", { name: "Agree" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Agree" }).click();
  await expect(consent).toContainText("has agreed");
  await preview.getByRole("button").click();
  await expect(preview).toContainText("No sample is left");
  await open("/");
});

test("versions are compared, aliases moved, and retirement is warned of", async ({ page, open, api }) => {
  const name = `registry-${Date.now()}`;
  const base = `base-${Date.now()}`;
  const version = (more: object) =>
    api.call("POST", "/models", { name, base_model: base, model_identifier: SERVED, ...more });
  await version({ metrics: { eval_loss: 0.5, accuracy: 0.7 } });
  await version({ metrics: { eval_loss: 0.4, accuracy: 0.8 } });
  await api.call("PUT", `/models/${name}/aliases/champion`, { version: "1.0.0" });

  await open("/");
  await page.keyboard.press("g");
  await page.keyboard.press("m");
  await page.getByRole("link", { name, exact: true }).click();
  const versions = page.getByRole("region", { name: "Versions", exact: true });
  await versions.getByRole("checkbox", { name: "Compare 1.0.0" }).check();
  await versions.getByRole("checkbox", { name: "Compare 1.1.0" }).check();
  await versions.getByRole("button", { name: "Compare" }).click();
  const figures = page.getByRole("table", { name: "Metrics side by side" });
  await expect(figures.getByRole("row", { name: /eval loss/ })).toContainText("-0.1");
  await expect(figures.getByRole("row", { name: /accuracy/ }).getByRole("img", { name: "better" })).toBeVisible();
  await page.getByRole("button", { name: "Close the comparison" }).click();

  const aliases = page.getByRole("region", { name: "Aliases" });
  const more = aliases.getByRole("button", { name: "Actions for champion" });
  await more.click();
  await page.getByRole("menuitem", { name: "Move", exact: true }).click();
  await page.getByLabel("Version", { exact: true }).selectOption("1.1.0");
  await page.getByRole("button", { name: "Move", exact: true }).click();
  await expect(aliases.getByRole("link", { name: "1.1.0" })).toBeVisible();
  await more.click();
  await page.getByRole("menuitem", { name: "Roll back" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Roll back" }).click();
  await expect(aliases.getByRole("link", { name: "1.0.0" })).toBeVisible();
  await more.click();
  await page.getByRole("menuitem", { name: "History" }).click();
  const history = page.getByRole("table", { name: "History of champion" });
  await expect(history.getByRole("row")).toHaveCount(4);
  await expect(history).toContainText("undone");
  await page.keyboard.press("Escape");

  await page.getByRole("button", { name: "Notes" }).click();
  await page.getByRole("dialog").getByLabel("Notes").fill("Tried on the nightly set.");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("region", { name: "Version 1.1.0" })).toContainText("Tried on the nightly set.");
  await page.getByRole("button", { name: "Archive" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Archive" }).click();
  await expect(page.getByText("This version is archived")).toBeVisible();
  await expect(versions.getByRole("link", { name: "1.1.0" })).toHaveCount(0);
  await versions.getByLabel("Show archived").check();
  await expect(versions.getByRole("row", { name: /1\.1\.0/ })).toContainText("archived");

  await open("/models/");
  await page.getByRole("button", { name: `Change ${base}` }).click();
  await page.getByLabel("Retires on").fill(new Date(Date.now() + 20 * 86_400_000).toISOString().slice(0, 10));
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("link", { name, exact: true }).click();
  await expect(page.getByRole("region", { name: "Warnings" })).toContainText(base);
});

test("an experiment is created, started, measured, and its arm promoted", async ({ page, open, api }) => {
  test.setTimeout(180_000);
  const name = `arms-${Date.now()}`;
  for (const accuracy of [0.7, 0.8])
    await api.call("POST", "/models", { name, base_model: "tiny", model_identifier: SERVED, metrics: { accuracy } });

  await open("/");
  await page.keyboard.press("g");
  await page.keyboard.press("x");
  await page.getByRole("link", { name: "New experiment" }).click();
  await page.getByLabel("Name").first().fill(name);
  const arm = (at: number) => page.getByRole("group", { name: `Arm ${at}` });
  await arm(1).getByLabel("Model").fill(`registry/${name}@1.0.0`);
  await arm(2).getByLabel("Model").fill(`registry/${name}@nowhere`);
  await arm(2).getByLabel("Weight").fill("3");
  await expect(arm(2)).toContainText("75%");
  await page.getByRole("button", { name: "Add guardrail" }).click();
  await page.getByLabel("Metric").selectOption("cost_usd");
  await page.getByLabel("At most").fill("5");
  await page.getByRole("button", { name: "Create draft" }).click();
  await expect(arm(2).locator("[aria-invalid]")).toBeVisible();
  await arm(2).getByLabel("Model").fill(`registry/${name}@1.1.0`);
  await page.getByRole("button", { name: "Create draft" }).click();

  const status = page.locator("main [data-status]").first();
  await expect(status).toHaveAttribute("data-status", "draft");
  await page.getByRole("button", { name: "Start" }).click();
  await expect(status).toHaveAttribute("data-status", "running");
  await expect(page.getByRole("region", { name: "Guardrails" })).toContainText("after 20 sessions");
  const experiment = new URL(page.url()).searchParams.get("id");
  const bothArms = async (): Promise<boolean> => {
    const { arms } = await api.call("GET", `/experiments/${experiment}/results`);
    return arms.every((arm: { sessions: number }) => arm.sessions > 0);
  };
  // The arm of a session depends on its id, so sessions are created until both arms have some.
  const ids: string[] = [];
  while (ids.length < 4 || (ids.length < 40 && !(await bothArms())))
    ids.push(await ends(api, `Of ${name} (${ids.length})`, "Done.", { model_identifier: `experiment/${name}` }));
  // The stream reports the sessions that end, and the page reads the results again.
  const arms = page.getByRole("table", { name: "Arms" });
  await expect
    .poll(
      async () => {
        const cells = await arms.locator("tbody tr td:nth-child(5)").allTextContents();
        return cells.reduce((sum, cell) => sum + (Number(cell) || 0), 0);
      },
      { timeout: 30_000 },
    )
    .toBe(ids.length);
  await expect(page.getByRole("region", { name: "Confidence" })).toContainText("variant minus control");
  await page.getByRole("button", { name: "Promote an arm" }).click();
  await page.getByLabel("Arm", { exact: true }).selectOption("variant");
  await page.getByRole("dialog").getByRole("button", { name: "Promote" }).click();
  await expect(page.getByRole("region", { name: "Outcome" })).toContainText(`${name}@1.1.0`);
  await expect(status).toHaveAttribute("data-status", "stopped");
  await expect(page.getByRole("button", { name: "Start" })).toHaveCount(0);

  await open(`/sessions/detail/?id=${ids[0]}`);
  await settled(page);
  await page.getByRole("link", { name: new RegExp(`(control|variant) of ${name}`) }).click();
  await expect(page.getByRole("heading", { name, level: 1 })).toBeVisible();
});
