import { Refused } from "@/api/problem";
import { type SessionFilter, sessionCalls, sessionPage } from "@/api/queries/sessions";
import type { PriorityWord, Session } from "@/api/schema";
import { allowed, ending } from "./actions";

export type BulkVerb = "end" | "retry" | "priority";

/** The most that one bulk action takes on; beyond it one narrows the filter. */
export const MOST = 2000;

/** What a bulk action would do, counted before anything is done. */
export interface Plan {
  readonly verb: BulkVerb;
  readonly priority?: string;
  readonly steps: readonly { session: Session; call: () => Promise<unknown>; does: string }[];
  readonly leftOut: number;
}

function step(session: Session, verb: BulkVerb, priority?: string) {
  switch (verb) {
    case "end": {
      const how = ending(session);
      return how && { session, does: how, call: () => sessionCalls[how](session.id) };
    }
    case "retry":
      // Brought back and asked to run: that is what somebody means who retries many.
      return allowed(session).includes("retry")
        ? {
            session,
            does: "retry",
            call: () => sessionCalls.retry(session.id).then(() => sessionCalls.start(session.id)),
          }
        : null;
    case "priority":
      return session.priority !== priority && !session.ended_at
        ? {
            session,
            does: `set to ${priority}`,
            call: () => sessionCalls.change(session.id, { priority: priority as PriorityWord }),
          }
        : null;
  }
}

export function plan(sessions: readonly Session[], verb: BulkVerb, priority?: string): Plan {
  const steps = sessions.map((session) => step(session, verb, priority)).filter((one) => one !== null);
  return { verb, priority, steps, leftOut: sessions.length - steps.length };
}

/** Every session that fits a filter, up to the most. */
export async function everyOne(
  filter: SessionFilter,
  signal: AbortSignal,
): Promise<{ sessions: Session[]; more: boolean }> {
  const sessions: Session[] = [];
  let cursor: string | undefined;
  do {
    const page = await sessionPage(filter, cursor, 200, signal);
    sessions.push(...page.items);
    cursor = page.next_cursor ?? undefined;
  } while (cursor && sessions.length < MOST);
  return { sessions, more: Boolean(cursor) };
}

export interface Done {
  readonly done: number;
  readonly refused: readonly { session: Session; why: string }[];
}

const AT_ONCE = 4;
const pause = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

/** One call, waiting where the server says that we are too fast. */
async function patiently(call: () => Promise<unknown>) {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof Refused && error.code === "RATE_LIMITED")) throw error;
      await pause(error.retryAfter ?? 1);
    }
  }
}

/** Does it, a few at a time; what is refused meanwhile is named and stops nothing else. */
export async function carryOut(plan: Plan, progress: (done: Done) => void): Promise<Done> {
  const left = [...plan.steps];
  const refused: { session: Session; why: string }[] = [];
  let done = 0;
  const work = async () => {
    for (let next = left.shift(); next; next = left.shift()) {
      try {
        await patiently(next.call);
        done += 1;
      } catch (error) {
        refused.push({ session: next.session, why: error instanceof Error ? error.message : "refused" });
      }
      progress({ done, refused: [...refused] });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return { done, refused };
}
