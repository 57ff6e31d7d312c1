import type { GuardedMetric, NewExperiment, SessionType } from "@/api/schema";

export interface ArmDraft {
  key: number;
  name: string;
  model: string;
  weight: string;
}

export interface GuardrailDraft {
  key: number;
  metric: GuardedMetric;
  limit: string;
  min_sessions: string;
}

/** The request that a filled-in form stands for. */
export function readExperimentForm(
  form: FormData,
  arms: readonly ArmDraft[],
  guardrails: readonly GuardrailDraft[],
): NewExperiment {
  const text = (name: string) => String(form.get(name) ?? "").trim() || undefined;
  return {
    name: text("name") ?? "",
    description: text("description"),
    target: text("target"),
    session_type: text("session_type") as SessionType | undefined,
    arms: arms.map(({ name, model, weight }) => ({
      name: name.trim(),
      model: model.trim(),
      weight: weight ? Number(weight) : undefined,
    })),
    guardrails: guardrails.map(({ metric, limit, min_sessions }) => ({
      metric,
      limit: Number(limit),
      min_sessions: min_sessions ? Number(min_sessions) : undefined,
    })),
  };
}
