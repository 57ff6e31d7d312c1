import type { NewSession, PriorityWord, SessionType } from "@/api/schema";

function readField(form: FormData, name: string): string | undefined {
  return String(form.get(name) ?? "").trim() || undefined;
}

/** The value of the form's choice to run without an environment. No environment can have this name. */
export const NO_ENVIRONMENT = "-";

/** The environment that the form names. To the API, an empty name means none, and an absent one the tenant's default. */
function readEnvironment(form: FormData): string | undefined {
  const environment = readField(form, "environment");
  return environment === NO_ENVIRONMENT ? "" : environment;
}

/** The request that a filled-in form stands for. Empty fields are left out, so that the API's defaults apply. */
export function readSessionForm(form: FormData, start: boolean): NewSession {
  const agent = readField(form, "agent");
  const tags = readField(form, "tags")
    ?.split(",")
    .map((tag) => tag.trim())
    .filter(Boolean);
  const minutes = readField(form, "minutes");
  const workspace = {
    repository: readField(form, "repository"),
    ref: readField(form, "ref"),
    directory: readField(form, "directory"),
  };
  return {
    title: readField(form, "title") ?? "",
    initial_prompt: readField(form, "initial_prompt") ?? "",
    description: readField(form, "description"),
    session_type: readField(form, "session_type") as SessionType | undefined,
    priority: readField(form, "priority") as PriorityWord | undefined,
    model_identifier: readField(form, "model_identifier"),
    agent_config: agent ? { agent } : undefined,
    max_duration_seconds: minutes ? Math.round(Number(minutes) * 60) : undefined,
    environment: readEnvironment(form),
    tags: tags?.length ? tags : undefined,
    parent_id: readField(form, "parent_id"),
    workspace: Object.values(workspace).some(Boolean) ? workspace : undefined,
    start,
  };
}
