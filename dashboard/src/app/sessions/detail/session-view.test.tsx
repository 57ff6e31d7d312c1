import { render, screen } from "@testing-library/react";
import { userEvent } from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { event, session } from "@/testing/session-fixtures";
import { SessionView } from "./session-view";

const events = {
  data: [
    event(1, "session.message", { role: "assistant", part: "a", text: "I run the tests." }),
    event(2, "session.tool", { part: "b", tool: "bash", state: "completed", title: "npm test", output: "ok" }),
  ],
  isPending: false,
  error: null,
  refetch: () => undefined,
};

function renderView(more: Partial<Parameters<typeof SessionView>[0]> = {}) {
  const onTab = vi.fn();
  render(
    <SessionView
      session={session({ status: "running" })}
      events={events}
      artifacts={[]}
      models={[]}
      tab="transcript"
      onTab={onTab}
      actions={null}
      answerForm={null}
      messageBox={<p>The message box</p>}
      files={<p>The changed files</p>}
      checkpoints={null}
      tree={null}
      {...more}
    />,
  );
  return onTab;
}

test("a session is shown from its data alone, without the API", async () => {
  const onTab = renderView();
  expect(screen.getByRole("heading", { level: 1 }).textContent).toBe("Mend fizz");
  expect(screen.getByRole("log", { name: "Transcript" }).textContent).toContain("I run the tests.");
  await userEvent.click(screen.getByRole("tab", { name: "Files" }));
  expect(onTab).toHaveBeenCalledWith("files");
});

test("only the selected tab is mounted", () => {
  renderView({ tab: "tools" });
  expect(screen.getByText("npm test")).toBeTruthy();
  expect(screen.queryByRole("log", { name: "Transcript" })).toBeNull();
  expect(screen.queryByText("The changed files")).toBeNull();
});

test("a message can be sent only while the session runs", () => {
  renderView();
  expect(screen.getByText("The message box")).toBeTruthy();
  renderView({ session: session({ id: "2", status: "completed", ended_at: "2026-11-22T10:05:00Z" }) });
  expect(screen.getAllByText("The message box")).toHaveLength(1);
});

test("a session at a runner shows its start by phase, its runner and its environment", () => {
  renderView({
    session: session({
      status: "running",
      runner_id: "01a20000-0000-7000-8000-00000000aaaa",
      environment: { id: "e1", name: "backend", version: 3 },
      start_breakdown_ms: { claimed: 12, cloning: 340, starting: 1648 },
    }),
  });
  const phases = screen.getByLabelText("Time per phase of the start");
  expect(phases.textContent).toBe("Claimed12 msCloning340 msStarting the agent1\u202f648 ms");
  expect(screen.getByRole("region", { name: "Start" }).textContent).toContain("2\u202f000 ms");
  expect(screen.getByRole("link", { name: "backend version 3" }).getAttribute("href")).toMatch(
    /^\/environments\/detail\/?\?id=e1&version=3$/,
  );
  expect(screen.getByRole("link", { name: "0000aaaa" }).getAttribute("href")).toMatch(/^\/runners\/detail\/?\?id=/);
});

test("a refused connection is marked in the log, and listed beside it", () => {
  const message = "The connection to example.com:443 was refused: the policy is none.";
  renderView({
    events: { ...events, data: [event(1, "session.log", { level: "warning", code: "EGRESS_DENIED", message })] },
  });
  expect(screen.getByRole("log", { name: "Transcript" }).textContent).toContain(`${message} EGRESS_DENIED`);
  expect(screen.getByRole("list", { name: "Refused connections" }).textContent).toContain(message);
});
