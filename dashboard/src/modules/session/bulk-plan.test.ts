import { beforeEach, expect, test, vi } from "vitest";
import { ApiError } from "@/api/problem";
import type { Session } from "@/api/schema";
import { sessionCalls } from "@/queries/sessions";
import { session } from "@/testing/session-fixtures";
import { planBulkAction, runBulkPlan } from "./bulk-plan";

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

test("a bulk plan counts the planned changes and the sessions left out", () => {
  const end = planBulkAction(all, "end");
  expect(end.steps.map((step) => [step.session.id, step.does])).toEqual([
    ["p", "cancel"],
    ["r", "stop"],
  ]);
  expect(end.leftOut).toBe(2);
  expect(planBulkAction(all, "retry").steps.map((step) => step.session.id)).toEqual(["f"]);
  expect(planBulkAction(all, "priority", "high").steps.map((step) => step.session.id)).toEqual(["p", "r"]);
  expect(planBulkAction(all, "priority", "medium").steps).toEqual([]);
});

test("a refused change is reported and does not stop the others", async () => {
  vi.spyOn(sessionCalls, "cancel").mockRejectedValue(
    new ApiError(409, { code: "INVALID_TRANSITION", detail: "It runs already." }),
  );
  const stop = vi.spyOn(sessionCalls, "stop").mockResolvedValue({} as Session);
  const result = await runBulkPlan(planBulkAction(all, "end"), () => undefined);
  expect(result.done).toBe(1);
  expect(result.refused).toMatchObject([{ session: { id: "p" }, why: "It runs already." }]);
  expect(stop).toHaveBeenCalledExactlyOnceWith("r");
});

test("a rate-limited call is repeated after the requested delay", async () => {
  const cancel = vi.spyOn(sessionCalls, "cancel");
  cancel.mockRejectedValueOnce(new ApiError(429, { code: "RATE_LIMITED" }, 0.01)).mockResolvedValue({} as Session);
  expect(await runBulkPlan(planBulkAction([pending], "end"), () => undefined)).toEqual({ done: 1, refused: [] });
  expect(cancel).toHaveBeenCalledTimes(2);
});
