import type { Event } from "@/api/schema";

/** The code of a log entry for a connection that the network policy of a session refused. */
const EGRESS_DENIED = "EGRESS_DENIED";

/** Separates the code of a refusal from its text. Agents report it before the text, ioc beside it. Null for other entries. */
export function readEgressRefusal(code: string | null | undefined, message: string): string | null {
  if (message.startsWith(`${EGRESS_DENIED}: `)) return message.slice(EGRESS_DENIED.length + 2);
  return code === EGRESS_DENIED ? message : null;
}

export interface EgressRefusal {
  /** The text of the refusal, which names the host and the reason. */
  readonly text: string;
  /** When it was refused first. */
  readonly at: string;
  /** How often the same was refused. */
  readonly count: number;
}

/** The connections that were refused, each once, in the order of their first attempts. */
export function egressRefusals(events: readonly Event[]): EgressRefusal[] {
  const found = new Map<string, EgressRefusal>();
  for (const event of events) {
    if (event.type !== "session.log") continue;
    const text = readEgressRefusal(event.payload.code, event.payload.message);
    if (text === null) continue;
    const before = found.get(text);
    found.set(text, { text, at: before?.at ?? event.at, count: (before?.count ?? 0) + 1 });
  }
  return [...found.values()];
}
