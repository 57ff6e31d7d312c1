/** The phases of a session at a runner. */

/** The phases before the agent works, in their order. */
const START_PHASES = ["claimed", "cloning", "setup", "starting"];

/** The phases after it, in their order. */
const END_PHASES = ["checks", "delivering", "cleaning"];

const TITLES: Readonly<Record<string, string>> = {
  claimed: "Claimed",
  cloning: "Cloning",
  setup: "Set-up",
  starting: "Starting the agent",
  working: "Working",
  checks: "Checks",
  delivering: "Delivering",
  cleaning: "Cleaning up",
};

export function phaseTitle(phase: string): string {
  return TITLES[phase] ?? phase;
}

export interface PhaseDuration {
  readonly phase: string;
  /** Its duration in milliseconds. */
  readonly duration: number;
}

export interface StartBreakdown {
  /** The phases before the agent works that have ended, in their order. */
  readonly start: readonly PhaseDuration[];
  /** The sum of their durations, in milliseconds. */
  readonly total: number;
  /** The phases after the work that have ended, in their order. */
  readonly end: readonly PhaseDuration[];
}

/**
 * Divides the milliseconds per phase, as a session reports them. A phase that lasts is not among them, and `working` is
 * neither a part of the start nor of the end. Null if nothing was reported that can be shown.
 */
export function readStartBreakdown(phases: Readonly<Record<string, number>> | null | undefined): StartBreakdown | null {
  const durations = (names: readonly string[]) =>
    names.flatMap((phase) => {
      const duration = phases?.[phase];
      return duration === undefined ? [] : [{ phase, duration }];
    });
  const [start, end] = [durations(START_PHASES), durations(END_PHASES)];
  if (start.length + end.length === 0) return null;
  return { start, total: start.reduce((sum, { duration }) => sum + duration, 0), end };
}
