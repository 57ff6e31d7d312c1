import { expect, PlayedAgent, test } from "./world";

test("an approval shows what it is for, and the decision reaches the agent", async ({ page, open, api }) => {
  const agent = await PlayedAgent.register(api, `ASKS-${Date.now()}`);
  const { id } = await api.call("POST", "/sessions", {
    title: "Remove the build folder",
    initial_prompt: "Remove it.",
    agent_config: { agent: agent.name },
    start: true,
  });
  const task = await agent.claim();
  await agent.report(task, {
    seq: 1,
    log: { level: "warning", message: "EGRESS_DENIED: example.com:443 is not in the network of this session." },
  });
  await agent.report(task, {
    seq: 2,
    question: {
      question_id: "1",
      kind: "approval",
      text: "The agent asks for permission: remove the folder",
      details: {
        kind: "execute",
        command: "rm -rf build",
        paths: ["/work/build"],
        changes: [{ path: "/work/notes.txt", old_text: "old\n", new_text: "new\n" }],
      },
    },
  });
  await open(`/sessions/detail/?id=${id}`);
  const question = page.getByRole("region", { name: "Question" });
  await expect(question.getByRole("region", { name: "Command" })).toHaveText("rm -rf build");
  await expect(question.getByRole("list", { name: "Paths" })).toHaveText("/work/build");
  await expect(question.getByRole("region", { name: "Requested change of /work/notes.txt" })).toContainText("new");
  await expect(page.getByRole("list", { name: "Refused connections" })).toContainText("example.com:443");
  await question.getByRole("button", { name: "Deny" }).click();

  await expect
    .poll(async () => (await agent.report(task, { seq: 3 })).messages?.[0]?.answer?.decision, { timeout: 60_000 })
    .toBe("deny");
  await agent.finish(task, "The folder stays.");
  await expect(page.locator("main [data-status]").first()).toHaveAttribute("data-status", "completed", {
    timeout: 120_000,
  });
});
