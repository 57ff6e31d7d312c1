import type { TrainingEvent } from "@/api/schema";
import { formatPercent } from "@/components/format";
import { RelativeTime } from "@/components/relative-time";

function toText(value: unknown): string {
  return typeof value === "string" ? value : value == null ? "" : JSON.stringify(value);
}

/** Describes an entry of a job's log in one line. */
export function describeTrainingEvent({ type, payload }: TrainingEvent): string {
  switch (type) {
    case "training.created":
      return "The job was created.";
    case "training.status_changed":
      return `${toText(payload.from)} → ${toText(payload.to)}${payload.reason ? `: ${toText(payload.reason)}` : ""}`;
    case "training.progress":
      return [
        typeof payload.progress === "number" && formatPercent(payload.progress),
        payload.step != null && `step ${toText(payload.step)}`,
        typeof payload.loss === "number" && `loss ${payload.loss.toFixed(4)}`,
      ]
        .filter(Boolean)
        .join(", ");
    case "training.completed":
      return `Registered as ${toText(payload.model)}@${toText(payload.version)}.`;
    default:
      return toText(payload.message) || toText(payload);
  }
}

/** A job's log, newest first. */
export function TrainingLog({ events }: { events: readonly TrainingEvent[] }) {
  return (
    <ol
      aria-label="Log of the job"
      tabIndex={0}
      className="flex max-h-96 flex-col overflow-y-auto px-3 py-1 text-[0.8125rem]"
    >
      {[...events].reverse().map((event) => (
        <li
          key={event.seq}
          className="grid grid-cols-[2rem_4.5rem_minmax(0,1fr)] items-baseline gap-x-2 border-b border-line py-1 last:border-0 md:grid-cols-[2.5rem_5.5rem_8rem_minmax(0,1fr)_auto]"
        >
          <span className="figure text-xs text-muted">{event.seq}</span>
          <RelativeTime at={event.at} className="text-xs text-muted" />
          <span className="figure truncate text-xs max-md:hidden">{event.type.replace("training.", "")}</span>
          <span className="min-w-0 break-words">{describeTrainingEvent(event)}</span>
          <span className="truncate text-xs text-muted max-md:hidden">{event.actor.name}</span>
        </li>
      ))}
    </ol>
  );
}
