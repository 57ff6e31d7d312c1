import { expect, test } from "vitest";
import { event } from "@/testing/session-fixtures";
import { statusSpans } from "./timeline";
import { buildTranscript, usageHistory } from "./transcript-entries";

test("a message part that grew is one entry with its latest text", () => {
  const entries = buildTranscript([
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

test("events of an unknown type are ignored", () => {
  expect(
    buildTranscript([event(1, "session.sang", { tune: 1 }), event(2, "session.log", { level: "info", message: "ok" })]),
  ).toHaveLength(1);
});

test("a failure is shown with its remedy", () => {
  const [end] = buildTranscript([event(1, "session.failed", { error: { message: "No key.", remedy: "Give one." } })]);
  expect(end).toMatchObject({ kind: "end", good: false, text: "No key.", remedy: "Give one." });
});

test("usage is listed in the order of the log", () => {
  const points = usageHistory([
    event(1, "session.usage", { tokens_input: 10, tokens_output: 1, tokens_reasoning: 0, cost_usd: "0.01" }),
  ]);
  expect(points).toEqual([{ at: "2026-11-22T10:00:01Z", cost: 0.01, tokens: 11 }]);
});

test("status spans have no gap, and only an active session has an open end", () => {
  const log = [
    event(2, "session.status_changed", { from: "pending", to: "queued" }),
    event(5, "session.status_changed", { from: "queued", to: "running" }),
  ];
  const now = Date.parse("2026-11-22T10:00:09Z");
  const open = statusSpans(log, "2026-11-22T10:00:00Z", now);
  expect(open.map((span) => [span.status, (span.to - span.from) / 1000])).toEqual([
    ["pending", 2],
    ["queued", 3],
    ["running", 4],
  ]);
  const ended = statusSpans(
    [...log, event(8, "session.status_changed", { from: "running", to: "completed" })],
    "2026-11-22T10:00:00Z",
    now,
  );
  expect(ended.at(-1)).toMatchObject({ status: "running" });
});
