import type { QueryClient } from "@tanstack/react-query";
import { agentKeys } from "@/api/queries/agents";
import { sessionKeys } from "@/api/queries/sessions";
import type { Frame } from "./frame";

/** How long frames are gathered before anything is read again, in milliseconds. */
const GATHER = 250;

/**
 * Lets frames renew what is shown. A frame is a doorbell: it says which rows to look at, and the log is read on from the
 * last known event, so that a frame that is lost, doubled, late or cut changes nothing but time.
 */
export class Renewal {
  private readonly sessions = new Set<string>();
  private agents = false;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly queries: QueryClient) {}

  take(frame: Frame) {
    if (frame.session_id) this.sessions.add(frame.session_id);
    if (frame.type.startsWith("agent.")) this.agents = true;
    this.timer ??= setTimeout(() => this.renew(), GATHER);
  }

  everything() {
    void this.queries.invalidateQueries();
  }

  stop() {
    clearTimeout(this.timer);
  }

  private renew() {
    this.timer = undefined;
    const again = (queryKey: readonly unknown[]) => void this.queries.invalidateQueries({ queryKey });
    for (const id of this.sessions) {
      again(sessionKeys.one(id));
      again(sessionKeys.events(id));
      again(["sessions", "part", id]);
    }
    if (this.sessions.size > 0) {
      again(sessionKeys.stats);
      again(sessionKeys.lists);
    }
    if (this.agents) again(agentKeys.all);
    this.sessions.clear();
    this.agents = false;
  }
}
