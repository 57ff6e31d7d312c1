import type { QueryClient } from "@tanstack/react-query";
import { agentKeys } from "@/api/queries/agents";
import { experimentKeys } from "@/api/queries/experiments";
import { modelKeys } from "@/api/queries/models";
import { sessionKeys } from "@/api/queries/sessions";
import { trainingKeys } from "@/api/queries/training";
import type { Frame } from "./frame";

/** How long frames are gathered before an open session's log is read on, in milliseconds. */
const SOON = 500;

/** And before lists and figures are: a busy tenant must not spend the calls of its key on looking at itself. */
const LATER = 2000;

/** What changes no row of a list. */
const SAID = new Set(["session.log", "session.message", "session.tool"]);

/**
 * Lets frames renew what is shown. A frame is a doorbell: it says which rows to look at, and the log is read on from the
 * last known event, so that a frame that is lost, doubled, late or cut changes nothing but time.
 */
export class Renewal {
  private readonly logs = new Set<string>();
  private readonly rows = new Set<string>();
  private readonly jobs = new Set<string>();
  /** What else is read again, each with everything below it. */
  private readonly areas = new Set<readonly string[]>();
  private soon: ReturnType<typeof setTimeout> | undefined;
  private later: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly queries: QueryClient) {}

  take(frame: Frame) {
    if (frame.session_id) {
      this.logs.add(frame.session_id);
      this.soon ??= setTimeout(() => this.readOn(), SOON);
    }
    const changes = frame.session_id && !SAID.has(frame.type);
    if (changes) this.rows.add(frame.session_id as string);
    if (frame.type.startsWith("agent.")) this.areas.add(agentKeys.all);
    if (frame.type === "session.status_changed") this.areas.add(experimentKeys.all);
    if (frame.type.startsWith("model.")) this.areas.add(modelKeys.all);
    if (frame.type.startsWith("training.")) this.trains(frame.payload.job_id);
    if (changes || this.areas.size > 0) this.later ??= setTimeout(() => this.renew(), LATER);
  }

  everything() {
    void this.queries.invalidateQueries();
  }

  stop() {
    clearTimeout(this.soon);
    clearTimeout(this.later);
  }

  private again(queryKey: readonly unknown[]) {
    void this.queries.invalidateQueries({ queryKey });
  }

  /** An open job's row, log and curve are read on soon; the list of jobs with the other lists. */
  private trains(job: unknown) {
    this.areas.add(trainingKeys.lists);
    if (typeof job !== "string") return;
    this.jobs.add(job);
    this.soon ??= setTimeout(() => this.readOn(), SOON);
  }

  private readOn() {
    this.soon = undefined;
    for (const id of this.jobs) {
      this.again(trainingKeys.one(id));
      this.again(trainingKeys.events(id));
      this.again(trainingKeys.curve(id));
    }
    this.jobs.clear();
    for (const id of this.logs) {
      this.again(sessionKeys.one(id));
      this.again(sessionKeys.events(id));
    }
    this.logs.clear();
  }

  private renew() {
    this.later = undefined;
    for (const id of this.rows) this.again(["sessions", "part", id]);
    if (this.rows.size > 0) {
      this.again(sessionKeys.stats);
      this.again(sessionKeys.lists);
    }
    for (const area of this.areas) this.again(area);
    this.rows.clear();
    this.areas.clear();
  }
}
