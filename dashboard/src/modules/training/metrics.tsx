import type { Metrics } from "@/api/schema";
import { count, duration, percent } from "@/components/format";

/** The figures of a training that are known, by name. */
export function metricFacts(metrics: Metrics): [string, string][] {
  const all: [string, string | null][] = [
    ["Final loss", metrics.final_loss == null ? null : metrics.final_loss.toFixed(4)],
    ["Held-out loss", metrics.eval_loss == null ? null : metrics.eval_loss.toFixed(4)],
    ["Accuracy", metrics.accuracy == null ? null : percent(metrics.accuracy, 1)],
    ["Tokens", metrics.tokens_processed == null ? null : count(metrics.tokens_processed)],
    ["Trained for", metrics.training_duration_seconds == null ? null : duration(metrics.training_duration_seconds)],
  ];
  return all.filter((one): one is [string, string] => one[1] !== null);
}
