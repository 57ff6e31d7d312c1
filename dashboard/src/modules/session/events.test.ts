import { expect, test } from "vitest";
import { event } from "@/testing/session";
import { spending, story } from "./events";
import { spans } from "./timeline";

test("a part that grew is told once, where it began, as it was last", () => {
  const entries = story([
    event(1, "session.message", { role: "assistant", part: "a", text: "I run" }),
    event(2, "session.tool", { part: "b", tool: "bash", state: "running", title: "ls" }),
    event(3, "session.message", { role: "assistant", part: "a", text: "I run the tests." }),
    event(4, "session.tool", { part: "b", tool: "bash", state: "completed", title: "ls", output: "x" }),
  ]);
  expect(entries).toMatchObject([
    { kind: "message", text: "I run the tests.", at: "2026-11-22T10:00:01Z" },
    { kind: "tool", state: "completed", output: "x" },
  ]);
});

test("events of a kind that is not known yet break nothing", () => {
  expect(
    story([event(1, "session.sang", { tune: 1 }), event(2, "session.log", { level: "info", message: "ok" })]),
  ).toHaveLength(1);
});

test("an error is told with its remedy", () => {
  const [end] = story([event(1, "session.failed", { error: { message: "No key.", remedy: "Give one." } })]);
  expect(end).toMatchObject({ kind: "end", good: false, text: "No key.", remedy: "Give one." });
});

test("spending is read in the order of the log", () => {
  const points = spending([
    event(1, "session.usage", { tokens_input: 10, tokens_output: 1, tokens_reasoning: 0, cost_usd: "0.01" }),
  ]);
  expect(points).toEqual([{ at: "2026-11-22T10:00:01Z", cost: 0.01, tokens: 11 }]);
});

test("the timeline has no gap, and an open end only while it is open", () => {
  const log = [
    event(2, "session.status_changed", { from: "pending", to: "queued" }),
    event(5, "session.status_changed", { from: "queued", to: "running" }),
  ];
  const now = Date.parse("2026-11-22T10:00:09Z");
  const open = spans(log, "2026-11-22T10:00:00Z", now);
  expect(open.map((span) => [span.status, (span.to - span.from) / 1000])).toEqual([
    ["pending", 2],
    ["queued", 3],
    ["running", 4],
  ]);
  const ended = spans(
    [...log, event(8, "session.status_changed", { from: "running", to: "completed" })],
    "2026-11-22T10:00:00Z",
    now,
  );
  expect(ended.at(-1)).toMatchObject({ status: "running" });
});
