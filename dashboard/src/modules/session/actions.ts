import { sessionCalls } from "@/api/queries/sessions";
import type { Session, Status } from "@/api/schema";

export type Verb = "start" | "unqueue" | "pause" | "resume" | "cancel" | "stop" | "retry";

interface Action {
  readonly label: string;
  /** What it does, as a sentence for the dialog that asks first; absent where nothing is lost by doing it. */
  readonly asks?: string;
  readonly danger?: boolean;
  readonly to: readonly Status[];
  readonly from: readonly Status[];
  readonly run: (id: string, reason?: string) => Promise<Session>;
}

export const ACTIONS: Readonly<Record<Verb, Action>> = {
  start: { label: "Start", from: ["pending"], to: ["queued"], run: sessionCalls.start },
  unqueue: { label: "Unqueue", from: ["queued"], to: ["pending"], run: sessionCalls.unqueue },
  pause: { label: "Pause", from: ["running", "degraded"], to: ["paused"], run: sessionCalls.pause },
  resume: { label: "Resume", from: ["paused"], to: ["running", "queued"], run: sessionCalls.resume },
  retry: { label: "Retry", from: ["failed", "timeout", "stopped"], to: ["pending"], run: sessionCalls.retry },
  stop: {
    label: "Stop",
    asks: "The agent is told to abort; what it has done so far stays, with its diff and a checkpoint.",
    danger: true,
    from: ["running", "degraded", "paused"],
    to: ["stopped"],
    run: sessionCalls.stop,
  },
  cancel: {
    label: "Cancel session",
    asks: "It will not run. A cancelled session cannot be brought back.",
    danger: true,
    from: ["pending", "queued", "paused"],
    to: ["cancelled"],
    run: sessionCalls.cancel,
  },
};

const ASKING = new Set(["approval", "input", "auth"]);

/** What may be asked of a session now: only what the API says it may go to, and nothing that it would refuse. */
export function allowed(session: Session): Verb[] {
  const may = (verb: Verb) => {
    const { from, to } = ACTIONS[verb];
    return from.includes(session.status) && to.some((status) => session.allowed_transitions.includes(status));
  };
  const verbs = (Object.keys(ACTIONS) as Verb[]).filter(may);
  return verbs.filter((verb) => {
    if (verb === "retry") return session.recoverable;
    if (verb === "resume") return !ASKING.has(session.pause_reason ?? "");
    if (verb === "stop" || verb === "pause") return session.pending_action !== "stop";
    return true;
  });
}

/** What ends a session from where it stands; `null` when it has ended. */
export function ending(session: Session): "stop" | "cancel" | null {
  const verbs = allowed(session);
  if (session.status !== "paused" && verbs.includes("cancel")) return "cancel";
  return verbs.includes("stop") ? "stop" : verbs.includes("cancel") ? "cancel" : null;
}

export function asks(session: Session): boolean {
  return session.status === "paused" && ASKING.has(session.pause_reason ?? "");
}
