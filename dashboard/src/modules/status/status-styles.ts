import type { ExperimentStatus, Status, TrainingStatus } from "@/api/schema";

/** The state of a session, a training job or an experiment. States with the same name share their style. */
export type AnyStatus = Status | TrainingStatus | ExperimentStatus;

export type StatusGroup = "waiting" | "active" | "success" | "failure" | "system";

interface StatusStyle {
  readonly colour: string;
  readonly group: StatusGroup;
  readonly means: string;
}

/** The style of each state. The type requires an entry for every state of the API. */
export const STATUS_STYLES: Readonly<Record<AnyStatus, StatusStyle>> = {
  pending: { colour: "#6b7280", group: "waiting", means: "created, not yet started" },
  queued: { colour: "#3b82f6", group: "waiting", means: "waiting to run" },
  running: { colour: "#10b981", group: "active", means: "its agent is working" },
  paused: { colour: "#f59e0b", group: "active", means: "paused, with a reason; uses no compute" },
  degraded: {
    colour: "#f97316",
    group: "active",
    means: "running, but its agent does not respond or errors are frequent",
  },
  completed: { colour: "#059669", group: "success", means: "done" },
  partially_completed: { colour: "#d97706", group: "success", means: "part of the work is done" },
  failed: { colour: "#dc2626", group: "failure", means: "ended by an error" },
  timeout: { colour: "#7c3aed", group: "failure", means: "ran or waited for too long" },
  stopped: { colour: "#4b5563", group: "failure", means: "stopped by a person while it ran" },
  cancelled: { colour: "#374151", group: "failure", means: "cancelled before it ran, or while paused" },
  orphaned: { colour: "#9333ea", group: "system", means: "its parent ended while it was waiting" },
  evaluating: { colour: "#6366f1", group: "active", means: "trained; being evaluated on held-out samples" },
  draft: { colour: "#94a3b8", group: "waiting", means: "not yet started" },
};

export function statusStyle(status: string): StatusStyle {
  return (
    STATUS_STYLES[status as AnyStatus] ?? {
      colour: "#6b7280",
      group: "system",
      means: "unknown state",
    }
  );
}
