import type { QueryClient } from "@tanstack/react-query";
import type { Frame } from "@/api/live-frame";
import { agentKeys } from "@/queries/agents";
import { experimentKeys } from "@/queries/experiments";
import { trainingKeys } from "@/queries/fine-tuning";
import { modelKeys } from "@/queries/models";
import { runnerKeys } from "@/queries/runners";
import { sessionKeys } from "@/queries/sessions";

/** How long frames are collected before the log of a session or job is read again, in milliseconds. */
const LOG_DELAY = 500;

/** The same for lists and statistics. It is longer, so that a busy tenant does not use up the rate limit of its key. */
const LIST_DELAY = 2000;

/** Frames that change no row of a list. */
const LOG_ONLY_TYPES = new Set(["session.log", "session.message", "session.tool"]);

/**
 * Invalidates queries when frames arrive. A frame only says what changed; the data itself is read from the API, and logs
 * are read from the last known event on. A frame that is lost, repeated, late or truncated therefore only delays an update.
 */
export class QueryInvalidator {
  private readonly pendingLogs = new Set<string>();
  private readonly pendingSessions = new Set<string>();
  private readonly pendingJobs = new Set<string>();
  /** Key prefixes of further queries to invalidate. */
  private readonly pendingAreas = new Set<readonly string[]>();
  private logTimer: ReturnType<typeof setTimeout> | undefined;
  private listTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly queries: QueryClient) {}

  handleFrame(frame: Frame) {
    if (frame.session_id) {
      this.pendingLogs.add(frame.session_id);
      this.logTimer ??= setTimeout(() => this.flushLogs(), LOG_DELAY);
    }
    const changes = frame.session_id && !LOG_ONLY_TYPES.has(frame.type);
    if (changes) this.pendingSessions.add(frame.session_id as string);
    if (frame.type.startsWith("agent.")) this.pendingAreas.add(agentKeys.all);
    if (frame.type.startsWith("runner.")) this.markRunners();
    if (frame.type === "session.status_changed") this.pendingAreas.add(experimentKeys.all);
    if (frame.type.startsWith("model.")) this.pendingAreas.add(modelKeys.all);
    if (frame.type.startsWith("training.")) this.markTrainingJob(frame.payload.job_id);
    if (changes || this.pendingAreas.size > 0) this.listTimer ??= setTimeout(() => this.flushLists(), LIST_DELAY);
  }

  invalidateAll() {
    void this.queries.invalidateQueries();
  }

  stop() {
    clearTimeout(this.logTimer);
    clearTimeout(this.listTimer);
  }

  private invalidate(queryKey: readonly unknown[]) {
    void this.queries.invalidateQueries({ queryKey });
  }

  /** A runner that registers, drains or leaves also changes the capacity of its pool's agents. */
  private markRunners() {
    this.pendingAreas.add(runnerKeys.all);
    this.pendingAreas.add(agentKeys.all);
  }

  /** Schedules the job's row, log and curve with the logs, and the list of jobs with the lists. */
  private markTrainingJob(job: unknown) {
    this.pendingAreas.add(trainingKeys.lists);
    if (typeof job !== "string") return;
    this.pendingJobs.add(job);
    this.logTimer ??= setTimeout(() => this.flushLogs(), LOG_DELAY);
  }

  private flushLogs() {
    this.logTimer = undefined;
    for (const id of this.pendingJobs) {
      this.invalidate(trainingKeys.one(id));
      this.invalidate(trainingKeys.events(id));
      this.invalidate(trainingKeys.curve(id));
    }
    this.pendingJobs.clear();
    for (const id of this.pendingLogs) {
      this.invalidate(sessionKeys.one(id));
      this.invalidate(sessionKeys.events(id));
    }
    this.pendingLogs.clear();
  }

  private flushLists() {
    this.listTimer = undefined;
    for (const id of this.pendingSessions) this.invalidate(["sessions", "part", id]);
    if (this.pendingSessions.size > 0) {
      this.invalidate(sessionKeys.stats);
      this.invalidate(sessionKeys.lists);
    }
    for (const area of this.pendingAreas) this.invalidate(area);
    this.pendingSessions.clear();
    this.pendingAreas.clear();
  }
}
