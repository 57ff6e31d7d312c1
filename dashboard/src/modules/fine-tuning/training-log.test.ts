import { expect, test } from "vitest";
import type { TrainingEvent } from "@/api/schema";
import { describeTrainingEvent } from "./training-log";

const event = (type: string, payload: Record<string, unknown>) =>
  ({
    id: "e",
    seq: 1,
    job_id: "j",
    tenant_id: "t",
    at: "2026-11-22T10:00:00Z",
    actor: { id: "s", kind: "system", name: "ioc" },
    type,
    payload,
  }) as TrainingEvent;

test("each entry of a job's log is described in a readable line", () => {
  expect(
    describeTrainingEvent(event("training.status_changed", { from: "queued", to: "running", reason: "handed over" })),
  ).toBe("queued → running: handed over");
  expect(describeTrainingEvent(event("training.progress", { progress: 0.5, step: 30, loss: 1.23456 }))).toBe(
    "50%, step 30, loss 1.2346",
  );
  expect(describeTrainingEvent(event("training.progress", { progress: 0 }))).toBe("0%");
  expect(describeTrainingEvent(event("training.completed", { model: "reviewer", version: "1.0.0" }))).toBe(
    "Registered as reviewer@1.0.0.",
  );
  expect(describeTrainingEvent(event("training.log", { level: "info", message: "Saved." }))).toBe("Saved.");
  expect(describeTrainingEvent(event("training.later", { what: 1 }))).toBe('{"what":1}');
});
