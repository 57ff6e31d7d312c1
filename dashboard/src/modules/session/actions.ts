import type { Session, Status } from "@/api/schema";

export type SessionVerb = "start" | "unqueue" | "pause" | "resume" | "cancel" | "stop" | "retry";

interface SessionAction {
  readonly label: string;
  /** The text of the dialog that asks for confirmation. Absent if nothing can be lost. */
  readonly confirmation?: string;
  readonly danger?: boolean;
  readonly to: readonly Status[];
  readonly from: readonly Status[];
}

export const SESSION_ACTIONS: Readonly<Record<SessionVerb, SessionAction>> = {
  start: { label: "Start", from: ["pending"], to: ["queued"] },
  unqueue: { label: "Unqueue", from: ["queued"], to: ["pending"] },
  pause: { label: "Pause", from: ["running", "degraded"], to: ["paused"] },
  resume: { label: "Resume", from: ["paused"], to: ["running", "queued"] },
  retry: { label: "Retry", from: ["failed", "timeout", "stopped"], to: ["pending"] },
  stop: {
    label: "Stop",
    confirmation: "The agent is asked to abort. Its work so far is kept, with the diff and a checkpoint.",
    danger: true,
    from: ["running", "degraded", "paused"],
    to: ["stopped"],
  },
  cancel: {
    label: "Cancel session",
    confirmation: "The session will not run. A cancelled session cannot be retried.",
    danger: true,
    from: ["pending", "queued", "paused"],
    to: ["cancelled"],
  },
};

const ANSWERABLE_REASONS = new Set(["approval", "input", "auth"]);

/** The actions that the API would accept for a session in its current state. */
export function allowedActions(session: Session): SessionVerb[] {
  const may = (verb: SessionVerb) => {
    const { from, to } = SESSION_ACTIONS[verb];
    return from.includes(session.status) && to.some((status) => session.allowed_transitions.includes(status));
  };
  const verbs = (Object.keys(SESSION_ACTIONS) as SessionVerb[]).filter(may);
  return verbs.filter((verb) => {
    if (verb === "retry") return session.recoverable;
    if (verb === "resume") return !ANSWERABLE_REASONS.has(session.pause_reason ?? "");
    if (verb === "stop" || verb === "pause") return session.pending_action !== "stop";
    return true;
  });
}

/** The action that ends a session in its current state, or null if it has ended. */
export function endingAction(session: Session): "stop" | "cancel" | null {
  const verbs = allowedActions(session);
  if (session.status !== "paused" && verbs.includes("cancel")) return "cancel";
  return verbs.includes("stop") ? "stop" : verbs.includes("cancel") ? "cancel" : null;
}

export function needsAnswer(session: Session): boolean {
  return session.status === "paused" && ANSWERABLE_REASONS.has(session.pause_reason ?? "");
}
