import { expect, test } from "vitest";
import { statusValues } from "@/api/schema";
import { session } from "@/testing/session-fixtures";
import { allowedActions, endingAction, needsAnswer, SESSION_ACTIONS } from "./actions";

test("only actions that the API allows are offered", () => {
  expect(allowedActions(session())).toEqual(["start", "cancel"]);
  expect(allowedActions(session({ allowed_transitions: [] }))).toEqual([]);
  for (const status of statusValues) {
    const all = allowedActions(session({ status, allowed_transitions: [...statusValues], recoverable: true }));
    for (const verb of all) expect(SESSION_ACTIONS[verb].from).toContain(status);
  }
});

test("a session that waits for an answer cannot be resumed", () => {
  const paused = { status: "paused", allowed_transitions: ["running", "queued", "stopped", "cancelled"] } as const;
  const manual = session({ ...paused, allowed_transitions: [...paused.allowed_transitions], pause_reason: "manual" });
  const asking = session({ ...paused, allowed_transitions: [...paused.allowed_transitions], pause_reason: "input" });
  expect(allowedActions(manual)).toContain("resume");
  expect(allowedActions(asking)).not.toContain("resume");
  expect([needsAnswer(manual), needsAnswer(asking)]).toEqual([false, true]);
});

test("a retry is offered only for recoverable sessions", () => {
  const failed = session({ status: "failed", allowed_transitions: ["pending"] });
  expect(allowedActions(failed)).toEqual([]);
  expect(allowedActions({ ...failed, recoverable: true })).toEqual(["retry"]);
});

test("a session with a pending stop cannot be stopped again", () => {
  const running = session({ status: "running", allowed_transitions: ["paused", "stopped", "completed"] });
  expect(allowedActions(running)).toEqual(["pause", "stop"]);
  expect(allowedActions({ ...running, pending_action: "stop" })).toEqual([]);
});

test("ending cancels a session before it runs and stops it while it runs", () => {
  expect(endingAction(session())).toBe("cancel");
  expect(endingAction(session({ status: "running", allowed_transitions: ["stopped"] }))).toBe("stop");
  expect(endingAction(session({ status: "paused", allowed_transitions: ["stopped", "cancelled"] }))).toBe("stop");
  expect(endingAction(session({ status: "completed", allowed_transitions: [] }))).toBeNull();
});
