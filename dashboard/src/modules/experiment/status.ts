import type { ExperimentStatus, GuardedMetric } from "@/api/schema";
import { formatCompact, formatDuration, formatPercent, formatUsd } from "@/components/format";

export const EXPERIMENT_STATUS_MEANING: Readonly<Record<ExperimentStatus, string>> = {
  draft: "not yet started",
  running: "sessions take part in it",
  stopped: "ended; its results are final",
};

interface GuardedMetricInfo {
  readonly label: string;
  /** How a guardrail compares the mean with its limit. */
  readonly comparison: string;
  readonly show: (value: number) => string;
}

export const GUARDED_METRICS: Readonly<Record<GuardedMetric, GuardedMetricInfo>> = {
  success_rate: { label: "Success rate", comparison: "at least", show: (value) => formatPercent(value, 1) },
  cost_usd: { label: "Cost of a session", comparison: "at most", show: formatUsd },
  duration_seconds: { label: "Duration of a session", comparison: "at most", show: formatDuration },
  tokens: { label: "Tokens of a session", comparison: "at most", show: (value) => formatCompact(Math.round(value)) },
};

/** A weight as a percentage of the sum of all weights. */
export function formatShare(weight: number, arms: readonly { weight: number }[]): string {
  const all = arms.reduce((sum, arm) => sum + arm.weight, 0);
  return formatPercent(all > 0 ? weight / all : 0);
}
