import { expect, test } from "vitest";
import { statusValues } from "@/api/schema";
import { session } from "@/testing/session";
import { ACTIONS, allowed, asks, ending } from "./actions";

test("only what the server allows is offered", () => {
  expect(allowed(session())).toEqual(["start", "cancel"]);
  expect(allowed(session({ allowed_transitions: [] }))).toEqual([]);
  for (const status of statusValues) {
    const all = allowed(session({ status, allowed_transitions: [...statusValues], recoverable: true }));
    for (const verb of all) expect(ACTIONS[verb].from).toContain(status);
  }
});

test("a session that asks is answered, not resumed", () => {
  const paused = { status: "paused", allowed_transitions: ["running", "queued", "stopped", "cancelled"] } as const;
  const manual = session({ ...paused, allowed_transitions: [...paused.allowed_transitions], pause_reason: "manual" });
  const asking = session({ ...paused, allowed_transitions: [...paused.allowed_transitions], pause_reason: "input" });
  expect(allowed(manual)).toContain("resume");
  expect(allowed(asking)).not.toContain("resume");
  expect([asks(manual), asks(asking)]).toEqual([false, true]);
});

test("a retry is offered only where it would be taken", () => {
  const failed = session({ status: "failed", allowed_transitions: ["pending"] });
  expect(allowed(failed)).toEqual([]);
  expect(allowed({ ...failed, recoverable: true })).toEqual(["retry"]);
});

test("what is being stopped is not stopped again", () => {
  const running = session({ status: "running", allowed_transitions: ["paused", "stopped", "completed"] });
  expect(allowed(running)).toEqual(["pause", "stop"]);
  expect(allowed({ ...running, pending_action: "stop" })).toEqual([]);
});

test("what has not run is cancelled, what runs is stopped, what ended is left", () => {
  expect(ending(session())).toBe("cancel");
  expect(ending(session({ status: "running", allowed_transitions: ["stopped"] }))).toBe("stop");
  expect(ending(session({ status: "paused", allowed_transitions: ["stopped", "cancelled"] }))).toBe("stop");
  expect(ending(session({ status: "completed", allowed_transitions: [] }))).toBeNull();
});
