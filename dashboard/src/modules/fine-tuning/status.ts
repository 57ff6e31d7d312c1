import type { TrainingStatus } from "@/api/schema";

/** What each state of a training job means. Colours and shapes are shared with all other states. */
export const TRAINING_STATUS_MEANING: Readonly<Record<TrainingStatus, string>> = {
  pending: "configured, not yet started",
  queued: "its dataset is built and submitted to the provider",
  running: "the provider is training",
  evaluating: "trained; being evaluated on held-out samples and registered",
  completed: "its version is in the registry",
  failed: "ended by an error",
  cancelled: "cancelled",
};

/** The states of a successful job, in order. */
export const TRAINING_STEPS: readonly TrainingStatus[] = ["pending", "queued", "running", "evaluating", "completed"];
