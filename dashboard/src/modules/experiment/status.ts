import type { ExperimentStatus, GuardedMetric } from "@/api/schema";
import { compact, duration, percent, usd } from "@/components/format";

export const MEANS: Readonly<Record<ExperimentStatus, string>> = {
  draft: "not yet started",
  running: "sessions take part",
  stopped: "over: its numbers stand",
};

interface Metric {
  readonly label: string;
  /** How its guardrail reads. */
  readonly keeps: string;
  readonly show: (value: number) => string;
}

export const METRICS: Readonly<Record<GuardedMetric, Metric>> = {
  success_rate: { label: "Success rate", keeps: "at least", show: (value) => percent(value, 1) },
  cost_usd: { label: "Cost of a session", keeps: "at most", show: usd },
  duration_seconds: { label: "Duration of a session", keeps: "at most", show: duration },
  tokens: { label: "Tokens of a session", keeps: "at most", show: (value) => compact(Math.round(value)) },
};

/** A weight as its share of all. */
export function share(weight: number, arms: readonly { weight: number }[]): string {
  const all = arms.reduce((sum, arm) => sum + arm.weight, 0);
  return percent(all > 0 ? weight / all : 0);
}
