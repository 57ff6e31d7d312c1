import type { ExperimentStatus, Status, TrainingStatus } from "@/api/schema";

/** Where a session, a training or an experiment stands; what is called the same looks the same. */
export type AnyStatus = Status | TrainingStatus | ExperimentStatus;

export type Group = "waiting" | "active" | "success" | "failure" | "system";

interface Look {
  readonly colour: string;
  readonly group: Group;
  readonly means: string;
}

/** How each state is shown. The type makes it whole: a state that the API gains is an error here until it has a look. */
export const LOOKS: Readonly<Record<AnyStatus, Look>> = {
  pending: { colour: "#6b7280", group: "waiting", means: "created, not yet asked to run" },
  queued: { colour: "#3b82f6", group: "waiting", means: "asked to run, waits for its turn" },
  running: { colour: "#10b981", group: "active", means: "its agent works" },
  paused: { colour: "#f59e0b", group: "active", means: "held, with a reason; no compute is spent" },
  degraded: { colour: "#f97316", group: "active", means: "runs, but its agent does not answer or errors pile up" },
  completed: { colour: "#059669", group: "success", means: "done" },
  partially_completed: { colour: "#d97706", group: "success", means: "part of the work stands" },
  failed: { colour: "#dc2626", group: "failure", means: "ended by an error" },
  timeout: { colour: "#7c3aed", group: "failure", means: "ran or waited for too long" },
  stopped: { colour: "#4b5563", group: "failure", means: "stopped by a person while it ran" },
  cancelled: { colour: "#374151", group: "failure", means: "called off before it ran, or while paused" },
  orphaned: { colour: "#9333ea", group: "system", means: "its parent ended while it still waited" },
  evaluating: { colour: "#6366f1", group: "active", means: "trained; measured on what was held out" },
  draft: { colour: "#94a3b8", group: "waiting", means: "not yet started" },
};

export function look(status: string): Look {
  return (
    LOOKS[status as AnyStatus] ?? { colour: "#6b7280", group: "system", means: "a state that this page does not know" }
  );
}

export function isActive(status: Status): boolean {
  return status === "running" || status === "degraded" || status === "paused" || status === "queued";
}
