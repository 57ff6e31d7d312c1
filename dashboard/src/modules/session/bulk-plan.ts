import { ApiError } from "@/api/problem";
import type { PriorityWord, Session } from "@/api/schema";
import { fetchSessionPage, type SessionFilter, sessionCalls } from "@/queries/sessions";
import { allowedActions, endingAction } from "./actions";

export type BulkAction = "end" | "retry" | "priority";

/** The maximum number of sessions in one bulk action. */
export const BULK_LIMIT = 2000;

/** The calls that a bulk action will make. */
export interface BulkPlan {
  readonly verb: BulkAction;
  readonly priority?: string;
  readonly steps: readonly { session: Session; call: () => Promise<unknown>; does: string }[];
  readonly leftOut: number;
}

function planStep(session: Session, verb: BulkAction, priority?: string) {
  switch (verb) {
    case "end": {
      const how = endingAction(session);
      return how && { session, does: how, call: () => sessionCalls[how](session.id) };
    }
    case "retry":
      // A retry also starts the session.
      return allowedActions(session).includes("retry")
        ? {
            session,
            does: "retry",
            call: () => sessionCalls.retry(session.id),
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

export function planBulkAction(sessions: readonly Session[], verb: BulkAction, priority?: string): BulkPlan {
  const steps = sessions.map((session) => planStep(session, verb, priority)).filter((one) => one !== null);
  return { verb, priority, steps, leftOut: sessions.length - steps.length };
}

/** Reads all sessions that match a filter, up to the limit of a bulk action. */
export async function fetchAllSessions(
  filter: SessionFilter,
  signal: AbortSignal,
): Promise<{ sessions: Session[]; more: boolean }> {
  const sessions: Session[] = [];
  let cursor: string | undefined;
  do {
    const page = await fetchSessionPage(filter, cursor, 200, signal);
    sessions.push(...page.items);
    cursor = page.next_cursor ?? undefined;
  } while (cursor && sessions.length < BULK_LIMIT);
  return { sessions, more: Boolean(cursor) };
}

export interface BulkResult {
  readonly done: number;
  readonly refused: readonly { session: Session; why: string }[];
}

const CONCURRENCY = 4;
const pause = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

/** Repeats a call while it is rate-limited, after the delay that the API asks for. */
async function callWithRateLimit(call: () => Promise<unknown>) {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof ApiError && error.code === "RATE_LIMITED")) throw error;
      await pause(error.retryAfter ?? 1);
    }
  }
}

/** Makes the calls of a plan, a few at a time. A refused call is reported and does not stop the others. */
export async function runBulkPlan(plan: BulkPlan, progress: (done: BulkResult) => void): Promise<BulkResult> {
  const left = [...plan.steps];
  const refused: { session: Session; why: string }[] = [];
  let done = 0;
  const work = async () => {
    for (let next = left.shift(); next; next = left.shift()) {
      try {
        await callWithRateLimit(next.call);
        done += 1;
      } catch (error) {
        refused.push({ session: next.session, why: error instanceof Error ? error.message : "refused" });
      }
      progress({ done, refused: [...refused] });
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, work));
  return { done, refused };
}
