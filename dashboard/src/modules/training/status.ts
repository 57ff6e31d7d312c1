import type { TrainingStatus } from "@/api/schema";

/** What the states mean of a training; their colours and shapes are those of all states. */
export const MEANS: Readonly<Record<TrainingStatus, string>> = {
  pending: "configured, not yet started",
  queued: "its dataset is curated and handed to the provider",
  running: "the provider has it",
  evaluating: "trained; measured on what was held out, and registered",
  completed: "its version stands in the registry",
  failed: "ended by an error",
  cancelled: "called off",
};

/** The way of a job that goes well. */
export const WAY: readonly TrainingStatus[] = ["pending", "queued", "running", "evaluating", "completed"];
