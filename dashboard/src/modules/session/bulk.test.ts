import { beforeEach, expect, test, vi } from "vitest";
import { Refused } from "@/api/problem";
import { sessionCalls } from "@/api/queries/sessions";
import type { Session } from "@/api/schema";
import { session } from "@/testing/session";
import { carryOut, plan } from "./bulk";

const pending = session({ id: "p" });
const running = session({ id: "r", status: "running", allowed_transitions: ["stopped", "paused"] });
const failed = session({
  id: "f",
  status: "failed",
  allowed_transitions: ["pending"],
  recoverable: true,
  ended_at: "2026-11-22T10:01:00Z",
});
const done = session({ id: "d", status: "completed", allowed_transitions: [], ended_at: "2026-11-22T10:01:00Z" });
const all = [pending, running, failed, done];

beforeEach(() => vi.restoreAllMocks());

test("a plan counts what would be done and what is left out", () => {
  const end = plan(all, "end");
  expect(end.steps.map((step) => [step.session.id, step.does])).toEqual([
    ["p", "cancel"],
    ["r", "stop"],
  ]);
  expect(end.leftOut).toBe(2);
  expect(plan(all, "retry").steps.map((step) => step.session.id)).toEqual(["f"]);
  expect(plan(all, "priority", "high").steps.map((step) => step.session.id)).toEqual(["p", "r"]);
  expect(plan(all, "priority", "medium").steps).toEqual([]);
});

test("a refusal stops nothing else, and is named", async () => {
  vi.spyOn(sessionCalls, "cancel").mockRejectedValue(
    new Refused(409, { code: "INVALID_TRANSITION", detail: "It runs already." }),
  );
  const stop = vi.spyOn(sessionCalls, "stop").mockResolvedValue({} as Session);
  const result = await carryOut(plan(all, "end"), () => undefined);
  expect(result.done).toBe(1);
  expect(result.refused).toMatchObject([{ session: { id: "p" }, why: "It runs already." }]);
  expect(stop).toHaveBeenCalledExactlyOnceWith("r");
});

test("told that it is too fast, it waits and does it then", async () => {
  const cancel = vi.spyOn(sessionCalls, "cancel");
  cancel.mockRejectedValueOnce(new Refused(429, { code: "RATE_LIMITED" }, 0.01)).mockResolvedValue({} as Session);
  expect(await carryOut(plan([pending], "end"), () => undefined)).toEqual({ done: 1, refused: [] });
  expect(cancel).toHaveBeenCalledTimes(2);
});
