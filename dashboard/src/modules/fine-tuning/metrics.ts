import type { Metrics } from "@/api/schema";
import { formatCount, formatDuration, formatPercent } from "@/components/format";

/** The known metrics of a training, by name. */
export function metricFacts(metrics: Metrics): [string, string][] {
  const all: [string, string | null][] = [
    ["Final loss", metrics.final_loss == null ? null : metrics.final_loss.toFixed(4)],
    ["Held-out loss", metrics.eval_loss == null ? null : metrics.eval_loss.toFixed(4)],
    ["Accuracy", metrics.accuracy == null ? null : formatPercent(metrics.accuracy, 1)],
    ["Tokens", metrics.tokens_processed == null ? null : formatCount(metrics.tokens_processed)],
    [
      "Trained for",
      metrics.training_duration_seconds == null ? null : formatDuration(metrics.training_duration_seconds),
    ],
  ];
  return all.filter((one): one is [string, string] => one[1] !== null);
}
