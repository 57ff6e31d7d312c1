import type { Secret, SecretKind, SecretPhase } from "@/api/fleet-types";

/** The names of the secrets that can be used in an environment: those of others cannot. */
export function secretNames(secrets: readonly Secret[], environmentId?: string): string[] {
  const usable = secrets.filter(
    ({ scope, environment_id }) => scope !== "environment" || environment_id === environmentId,
  );
  return [...new Set(usable.map(({ name }) => name))].sort();
}

/** The scope of a secret as its address names it: an environment by its id. */
export function scopePath({ scope, environment_id }: Pick<Secret, "scope" | "environment_id">): string {
  return scope === "environment" ? (environment_id ?? "") : scope;
}

/** Each phase of a session that may see a secret, and what that means. */
export const PHASE_TITLES: Readonly<Record<SecretPhase, string>> = {
  setup: "Only the set-up script",
  agent: "Only the agent",
  both: "The set-up script and the agent",
};

export const KIND_TITLES: Readonly<Record<SecretKind, string>> = {
  plain: "A variable",
  git: "A credential for git",
  provider: "A key of a model provider",
};
