import { Api, expect, script, settled, steps, test } from "./world";

test("a session is created, watched, answered, and its changes shown", async ({ page, open }) => {
  await open("/");
  await page.keyboard.press("g");
  await page.keyboard.press("n");
  await page.getByLabel("Title").fill("Choose a colour for the shed");
  await page
    .getByLabel("Prompt")
    .fill(
      script([
        steps.ask("Which colour?", "red", "blue"),
        steps.write("shed.txt", "The shed is red.\n"),
        steps.say("It is painted."),
      ]),
    );
  await page.getByLabel("Agent", { exact: true }).selectOption("LOCAL-OPENCODE");
  await page.getByRole("button", { name: "Start session" }).click();

  await expect(page.getByRole("heading", { name: "Choose a colour for the shed" })).toBeVisible();
  const question = page.getByRole("region", { name: "Question" });
  await expect(question).toContainText("Which colour?", { timeout: 120_000 });
  await expect(page.locator("main [data-status]").first()).toHaveAttribute("data-status", "paused");
  // A session that waits for an answer cannot be resumed, so the action is not offered.
  await expect(page.getByRole("button", { name: "Resume" })).toHaveCount(0);
  await question.getByRole("button", { name: /^red/ }).click();

  await expect(page.locator("main [data-status]").first()).toHaveAttribute("data-status", "completed", {
    timeout: 120_000,
  });
  await expect(page.getByRole("log", { name: "Transcript" })).toContainText("It is painted.");
  await expect(page.getByRole("button", { name: "Stop" })).toHaveCount(0);
  await page.getByRole("tab", { name: "Files" }).click();
  await expect(page.getByRole("region", { name: "Changes of shed.txt" })).toContainText("The shed is red.");
  await page.getByRole("tab", { name: /Checkpoints/ }).click();
  await page.getByRole("button", { name: "Fork" }).first().click();
  await expect(page.getByText("Forked from")).toBeVisible();
});

test("a running session is stopped and retried, and a pending one cancelled", async ({ page, open, api }) => {
  const id = await api.play("Sleep for long", [steps.bash("sleep 300"), steps.say("Awake.")]);
  await api.reaches(id, "running");
  await open(`/sessions/detail/?id=${id}`);
  await page.getByRole("button", { name: "Stop", exact: true }).click();
  await page.getByRole("alertdialog").getByLabel("Reason").fill("enough");
  await page.getByRole("alertdialog").getByRole("button", { name: "Stop" }).click();
  const status = page.locator("main [data-status]").first();
  await expect(status).toHaveAttribute("data-status", "stopped", { timeout: 120_000 });
  await page.getByRole("button", { name: "Retry" }).click();
  await expect(status).toHaveAttribute("data-status", /queued|running|completed/);

  const pending = await api.play("Not yet", [steps.say("Done.")], { start: false });
  await open(`/sessions/detail/?id=${pending}`);
  await page.getByRole("button", { name: "Cancel session" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Cancel session" }).click();
  await expect(status).toHaveAttribute("data-status", "cancelled");
  expect(await api.status(pending)).toBe("cancelled");
});

test("a failed session shows its cause and remedy, and is retried", async ({ page, open, api }) => {
  const id = await api.play("Call a provider that refuses", [{ status: 401 }]);
  await api.reaches(id, "failed");
  await open(`/sessions/detail/?id=${id}`);
  const why = page.getByRole("region", { name: "What went wrong" });
  await expect(why).toContainText("auth");
  await page.getByRole("button", { name: "Retry" }).click();
  await expect(page.locator("main [data-status]").first()).toHaveAttribute("data-status", /queued|running|failed/);
  await expect(page.getByText("1 of 3")).toBeVisible();
});

test("many sessions are ended at once after their number is shown", async ({ page, open, api }) => {
  const tag = `bulk-${Date.now()}`;
  const made = { tags: [tag], start: false };
  for (const name of ["one", "two", "three"]) await api.play(`Bulk ${name}`, [steps.say("ok")], made);
  const done = await api.play("Bulk done", [steps.say("ok")], { tags: [tag] });
  await api.reaches(done, "completed");
  await open(`/sessions/?tag=${tag}`);
  await expect(page.locator("[data-session]")).toHaveCount(4);
  await page.getByLabel("Select all loaded sessions").check();
  await page.getByRole("button", { name: "Stop …" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog).toContainText("3 of 4 selected will be changed");
  await expect(dialog).toContainText("1 are left out");
  await dialog.getByRole("button", { name: "End 3" }).click();
  await expect(dialog).toContainText("3 done");
  await dialog.getByRole("button", { name: "Close" }).last().click();
  await expect(page.locator('[data-session] [data-status="cancelled"]')).toHaveCount(3);
});

test("sessions are found by text and state, and a view is saved", async ({ page, open, api }) => {
  const word = `zebra${Date.now()}`;
  await api.play(`Count the ${word}`, [steps.say("ok")], { start: false });
  await open("/sessions/");
  await page.keyboard.press("/");
  await page.keyboard.type(word);
  await page.keyboard.press("Enter");
  await expect(page.locator("[data-session]")).toHaveCount(1);
  await page.getByRole("button", { name: "Save view" }).click();
  await page.getByLabel("Name").fill("Zebras");
  await page.getByRole("dialog").getByRole("button", { name: "Save" }).click();
  await page.getByRole("link", { name: "All", exact: true }).click();
  await expect(page).toHaveURL(/\/sessions\/$/);
  await page.getByRole("navigation", { name: "Views" }).getByRole("link", { name: "Zebras" }).click();
  await expect(page.locator("[data-session]")).toHaveCount(1);
  await page.getByRole("button", { name: "State" }).click();
  await page.getByRole("menuitemcheckbox", { name: "failed" }).click();
  await page.keyboard.press("Escape");
  await expect(page.getByText("No session matches.")).toBeVisible();
});

test("a tree is drawn as a graph, and folds", async ({ page, open, api }) => {
  const root = await api.play("Root of a tree", [steps.say("ok")], { start: false });
  const child = await api.play("First child", [steps.say("ok")], { start: false, parent_id: root });
  await api.play("Grandchild", [steps.say("ok")], { start: false, parent_id: child });
  await api.play("Second child", [steps.say("ok")], { start: false, parent_id: root });
  await open(`/sessions/detail/?id=${root}&tab=tree`);
  await expect(page.locator(".react-flow__node")).toHaveCount(4);
  await page.getByRole("button", { name: "Fold descendants" }).nth(1).click();
  await expect(page.locator(".react-flow__node")).toHaveCount(3);
  await page.getByText("Second child").click();
  await expect(page.getByRole("heading", { name: "Second child" })).toBeVisible();
});

test("a session of another tenant is not found", async ({ page, open, api }) => {
  await open("/sessions/detail/?id=01a20000-0000-7000-8000-000000000000");
  await expect(page.getByRole("alert").filter({ hasText: "SESSION_NOT_FOUND" })).toBeVisible();
  expect((await new Api(api.url, api.key, api.tenant).ask("GET", "/sessions/nonsense")).status).toBeGreaterThan(399);
});

test("a page reports an unreachable server and recovers by itself", async ({ page, open }) => {
  await open("/sessions/");
  await settled(page);
  await page.route("**/api/**", (route) => route.abort());
  await page.keyboard.press("r");
  await expect(page.locator("[data-connection]")).toHaveAttribute("data-connection", "offline");
  await page.unroute("**/api/**");
  await expect(page.locator("[data-connection]")).not.toHaveAttribute("data-connection", "offline", {
    timeout: 30_000,
  });
});

test("changes made elsewhere appear at once, and a revoked key is signed out", async ({ page, open, api }) => {
  await open("/sessions/");
  await expect(page.locator("[data-connection]")).toHaveAttribute("data-connection", "live");
  const id = await api.play(`Made elsewhere ${Date.now()}`, [steps.say("ok")], { start: false });
  // While the page is live, it polls once a minute: only the stream can have reported the change.
  await expect(page.locator(`[data-session="${id}"]`)).toBeVisible({ timeout: 15_000 });
  await api.call("POST", `/sessions/${id}/cancel`);
  await expect(page.locator(`[data-session="${id}"] [data-status="cancelled"]`)).toBeVisible({ timeout: 15_000 });

  const made = await api.call("POST", "/api-keys", { name: "To be cut", role: "member" });
  await page.goto("about:blank");
  await page.goto(`${api.url}/sessions/#key=${made.secret}`);
  await expect(page.locator("[data-connection]")).toHaveAttribute("data-connection", "live");
  await api.call("DELETE", `/api-keys/${made.id}`);
  await expect(page.getByText("no longer accepted").or(page.getByText("is not accepted"))).toBeVisible({
    timeout: 20_000,
  });
});
