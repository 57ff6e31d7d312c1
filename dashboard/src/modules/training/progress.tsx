import type { TrainingJob } from "@/api/schema";
import { cx } from "@/components/class-names";
import { percent } from "@/components/format";
import { StatusShape } from "@/modules/status/badge";
import { MEANS, WAY } from "./status";

/** How far a training is: a bar with its figure, as far as the provider tells. */
export function Progress({ job, className }: { job: TrainingJob; className?: string }) {
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
        <span className="block h-full rounded-full bg-accent" style={{ width: percent(job.progress) }} />
      </span>
      <span className="figure w-9 text-right text-xs">{percent(job.progress)}</span>
    </span>
  );
}

/** The way of a job that goes well, and where on it this one stands. */
export function Way({ job }: { job: TrainingJob }) {
  const here = WAY.indexOf(job.status);
  if (here < 0) return null;
  return (
    <ol aria-label="The way of the job" className="flex flex-wrap items-center gap-x-1 gap-y-1.5 text-xs">
      {WAY.map((status, at) => (
        <li
          key={status}
          aria-current={at === here ? "step" : undefined}
          title={MEANS[status]}
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
