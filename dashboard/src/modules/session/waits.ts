import type { PauseReason, Session, WaitingFor } from "@/api/schema";

const FOR: Readonly<Record<WaitingFor, string>> = {
  slot: "a free slot",
  workspace: "its workspace, which another session uses",
  agent: "an agent that suits and has room",
  tokens: "tokens of a new month",
};

const HELD: Readonly<Record<PauseReason, string>> = {
  manual: "paused by a person",
  approval: "needs an approval",
  input: "asks a question",
  auth: "needs to be let in somewhere",
  budget: "reached its budget",
  quota: "the month's tokens are used up",
  rate_limit: "the provider's limit is reached",
  dependency: "waits for something that it depends on",
  maintenance: "held for maintenance",
};

/** What a session waits for, in words; nothing where it does not wait. */
export function waits(session: Session): string | null {
  if (session.pending_action) return `${session.pending_action} was asked for; its agent must act first`;
  if (session.status === "queued" && session.queue) {
    return `place ${session.queue.place}, waits for ${FOR[session.queue.waiting_for]}`;
  }
  if (session.status === "paused" && session.pause_reason) return HELD[session.pause_reason];
  if (session.outcome?.error) return session.outcome.error.code;
  return null;
}

export const heldBecause = (reason: PauseReason) => HELD[reason];
