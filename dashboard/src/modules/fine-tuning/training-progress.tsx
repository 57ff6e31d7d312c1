import type { TrainingJob } from "@/api/schema";
import { cx } from "@/components/class-names";
import { formatPercent } from "@/components/format";
import { StatusShape } from "@/modules/status/status-badge";
import { TRAINING_STATUS_MEANING, TRAINING_STEPS } from "./status";

/** The progress that the provider reports, as a bar and a percentage. */
export function TrainingProgress({ job, className }: { job: TrainingJob; className?: string }) {
  if (job.progress == null) return <span className="text-xs text-muted">–</span>;
  return (
    <span className={cx("inline-flex items-center gap-2", className)}>
      <span
        role="progressbar"
        aria-label={`Progress of ${job.target_model_name}`}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(job.progress * 100)}
        className="h-1.5 w-full min-w-16 overflow-hidden rounded-full bg-line"
      >
        <span className="block h-full rounded-full bg-accent" style={{ width: formatPercent(job.progress) }} />
      </span>
      <span className="figure w-9 text-right text-xs">{formatPercent(job.progress)}</span>
    </span>
  );
}

/** The states of a successful job, with the current one marked. */
export function TrainingSteps({ job }: { job: TrainingJob }) {
  const here = TRAINING_STEPS.indexOf(job.status);
  if (here < 0) return null;
  return (
    <ol aria-label="States of the job" className="flex flex-wrap items-center gap-x-1 gap-y-1.5 text-xs">
      {TRAINING_STEPS.map((status, at) => (
        <li
          key={status}
          aria-current={at === here ? "step" : undefined}
          title={TRAINING_STATUS_MEANING[status]}
          className={cx(
            "flex items-center gap-1.5",
            at > here && "text-muted",
            at === here && "font-medium",
            at < here && "text-muted",
          )}
        >
          {at > 0 && <span aria-hidden className={cx("h-px w-4", at <= here ? "bg-accent" : "bg-line-strong")} />}
          <StatusShape status={at < here ? "completed" : status} className={at > here ? "opacity-40" : undefined} />
          {status}
        </li>
      ))}
    </ol>
  );
}
