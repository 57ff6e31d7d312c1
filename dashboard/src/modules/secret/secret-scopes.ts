import type { Environment, Secret, SecretKind, SecretPhase } from "@/api/fleet-types";

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

/** A scope in which a caller may store secrets. */
export interface ScopeChoice {
  /** The scope as the address of a secret names it. */
  readonly path: string;
  readonly title: string;
}

interface SecretWriter {
  /** Leads write the secrets of the tenant and of environments. */
  readonly isLead: boolean;
  /** Only a person has secrets of their own; a key of the tenant has none. */
  readonly isPerson: boolean;
}

export function scopeChoices(environments: readonly Environment[], { isLead, isPerson }: SecretWriter): ScopeChoice[] {
  const tenant = [
    { path: "tenant", title: "The whole tenant" },
    ...environments.map(({ id, name }) => ({ path: id, title: `The environment ${name}` })),
  ];
  return [...(isLead ? tenant : []), ...(isPerson ? [{ path: "user", title: "Only my sessions" }] : [])];
}

/** The scope of a secret in words. */
export function scopeTitle({ scope, environment_id }: Secret, environments: readonly Environment[]): string {
  if (scope === "tenant") return "the tenant";
  if (scope === "user") return "you";
  const name = environments.find(({ id }) => id === environment_id)?.name;
  return name ? `environment ${name}` : "an environment";
}
