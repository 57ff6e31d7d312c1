import type { PauseReason, Session } from "@/api/schema";

const PAUSE_REASONS: Readonly<Record<PauseReason, string>> = {
  manual: "paused by a person",
  approval: "needs an approval",
  input: "asks a question",
  auth: "needs to authenticate",
  budget: "reached its budget",
  quota: "this month's tokens are used up",
  rate_limit: "the provider's limit is reached",
  dependency: "waiting for its sessions",
  maintenance: "paused for maintenance",
};

/** Describes what a session waits for, as a clause without a full stop. Null if it does not wait. */
export function waitingReason(session: Session): string | null {
  if (session.pending_action) return `${session.pending_action} was requested; waiting for the agent`;
  if (session.status === "queued" && session.queue) {
    return `position ${session.queue.place}: ${session.queue.detail.replace(/\.$/, "")}`;
  }
  if (session.status === "paused" && session.pause_reason) return PAUSE_REASONS[session.pause_reason];
  if (session.outcome?.error) return session.outcome.error.code;
  return null;
}
