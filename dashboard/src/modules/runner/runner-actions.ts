import type { Runner } from "@/api/fleet-types";

export type RunnerVerb = "drain" | "resume" | "remove";

/** The actions that make sense for a runner. Only a lead's request is undone by `resume`, not what the runner does itself. */
export function allowedRunnerActions({ drain_requested }: Pick<Runner, "drain_requested">): RunnerVerb[] {
  return [drain_requested ? "resume" : "drain", "remove"];
}

function countTasks(count: number): string {
  return count === 1 ? "its session" : `its ${count} sessions`;
}

/** What happens if a runner is drained or removed, for the dialog that asks for confirmation. */
export function consequence(verb: "drain" | "remove", { busy }: Pick<Runner, "busy">): string {
  if (verb === "drain") {
    const finishes = busy > 0 ? `It finishes ${countTasks(busy)}, and takes` : "It takes";
    return `${finishes} no new ones until it is resumed.`;
  }
  const moved = busy > 0 ? ` It loses ${countTasks(busy)}, which continue at another runner or agent.` : "";
  return `Its credential is refused from now on.${moved} To return, the machine needs a new enrolment.`;
}
