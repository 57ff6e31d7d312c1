import { expect, test } from "vitest";
import { job } from "@/testing/training";
import { allowedOfJob } from "./actions";

test("a job is offered only what its state allows", () => {
  expect(allowedOfJob(job())).toEqual(["start", "cancel"]);
  const running = job({ status: "running", allowed_transitions: ["evaluating", "completed", "failed", "cancelled"] });
  expect(allowedOfJob(running)).toEqual(["cancel"]);
  expect(allowedOfJob(job({ status: "completed", allowed_transitions: [] }))).toEqual([]);
});

test("a job is retried once its provider has confirmed that it stopped", () => {
  const failed = job({ status: "failed", allowed_transitions: ["pending"], stopping: true });
  expect(allowedOfJob(failed)).toEqual([]);
  expect(allowedOfJob({ ...failed, stopping: false })).toEqual(["retry"]);
});
