import { trainingCalls } from "@/api/queries/training";
import type { TrainingJob, TrainingStatus } from "@/api/schema";

export type TrainingVerb = "start" | "cancel" | "retry";

interface Action {
  readonly label: string;
  readonly asks?: string;
  readonly danger?: boolean;
  readonly from: readonly TrainingStatus[];
  readonly to: TrainingStatus;
  readonly run: (id: string) => Promise<TrainingJob>;
}

export const TRAINING_ACTIONS: Readonly<Record<TrainingVerb, Action>> = {
  start: { label: "Start", from: ["pending"], to: "queued", run: trainingCalls.start },
  retry: { label: "Retry", from: ["failed", "cancelled"], to: "pending", run: trainingCalls.retry },
  cancel: {
    label: "Cancel job",
    asks: "The provider is told to stop. What it has trained so far is not registered; the job can be tried again as a new attempt.",
    danger: true,
    from: ["pending", "queued", "running", "evaluating"],
    to: "cancelled",
    run: trainingCalls.cancel,
  },
};

/** What may be asked of a job now: what the API says it may go to, and nothing that it would refuse. */
export function allowedOfJob(job: TrainingJob): TrainingVerb[] {
  return (Object.keys(TRAINING_ACTIONS) as TrainingVerb[]).filter((verb) => {
    const { from, to } = TRAINING_ACTIONS[verb];
    // Until its provider has confirmed the stop, a retry is refused.
    if (verb === "retry" && job.stopping) return false;
    return from.includes(job.status) && job.allowed_transitions.includes(to);
  });
}
