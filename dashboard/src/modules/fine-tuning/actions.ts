import type { TrainingJob, TrainingStatus } from "@/api/schema";

export type TrainingVerb = "start" | "cancel" | "retry";

interface TrainingAction {
  readonly label: string;
  readonly confirmation?: string;
  readonly danger?: boolean;
  readonly from: readonly TrainingStatus[];
  readonly to: TrainingStatus;
}

export const TRAINING_ACTIONS: Readonly<Record<TrainingVerb, TrainingAction>> = {
  start: { label: "Start", from: ["pending"], to: "queued" },
  retry: { label: "Retry", from: ["failed", "cancelled"], to: "pending" },
  cancel: {
    label: "Cancel job",
    confirmation:
      "The provider is asked to stop. What was trained so far is not registered. The job can be retried as a new attempt.",
    danger: true,
    from: ["pending", "queued", "running", "evaluating"],
    to: "cancelled",
  },
};

/** The actions that the API would accept for a job in its current state. */
export function allowedJobActions(job: TrainingJob): TrainingVerb[] {
  return (Object.keys(TRAINING_ACTIONS) as TrainingVerb[]).filter((verb) => {
    const { from, to } = TRAINING_ACTIONS[verb];
    // The API refuses a retry until the provider has confirmed the stop.
    if (verb === "retry" && job.stopping) return false;
    return from.includes(job.status) && job.allowed_transitions.includes(to);
  });
}
