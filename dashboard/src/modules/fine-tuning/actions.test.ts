import { expect, test } from "vitest";
import { job } from "@/testing/training-fixtures";
import { allowedJobActions } from "./actions";

test("a job offers only the actions that its state allows", () => {
  expect(allowedJobActions(job())).toEqual(["start", "cancel"]);
  const running = job({ status: "running", allowed_transitions: ["evaluating", "completed", "failed", "cancelled"] });
  expect(allowedJobActions(running)).toEqual(["cancel"]);
  expect(allowedJobActions(job({ status: "completed", allowed_transitions: [] }))).toEqual([]);
});

test("a job can be retried once its provider has confirmed the stop", () => {
  const failed = job({ status: "failed", allowed_transitions: ["pending"], stopping: true });
  expect(allowedJobActions(failed)).toEqual([]);
  expect(allowedJobActions({ ...failed, stopping: false })).toEqual(["retry"]);
});
