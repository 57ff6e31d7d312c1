/** How a machine becomes a runner, and how to recognize that it has. Pure. */
import type { Enrolment, Runner } from "@/api/fleet-types";
import { quoteShellWord } from "@/components/shell-word";

/**
 * The command that starts a runner, which is named after its machine. The token is passed in the environment, because
 * other people on the machine can read the arguments of a program.
 */
export function startCommand(url: string, token: string): string {
  return `IOC_URL=${quoteShellWord(url)} IOC_RUNNER_TOKEN=${quoteShellWord(token)} ioc-runner start --name "$(hostname)"`;
}

/** The runners of an enrolment's pool that registered after it was created, and that are alive. */
export function registeredSince(
  enrolment: Pick<Enrolment, "pool" | "created_at">,
  runners: readonly Runner[],
): Runner[] {
  const since = Date.parse(enrolment.created_at);
  return runners.filter(
    ({ pool, state, created_at }) => pool === enrolment.pool && state !== "offline" && Date.parse(created_at) >= since,
  );
}
