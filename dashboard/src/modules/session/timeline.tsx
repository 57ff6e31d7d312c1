import type { Event } from "@/api/schema";
import { EmptyState } from "@/components/content-states";
import { formatWords } from "@/components/format";
import { RelativeTime } from "@/components/relative-time";
import { StatusShape } from "@/modules/status/status-badge";
import { statusStyle } from "@/modules/status/status-styles";

interface StatusSpan {
  status: string;
  from: number;
  to: number;
}

/** How long the session was in each state. */
export function statusSpans(events: readonly Event[], created: string, now: number): StatusSpan[] {
  const changes = events.filter((event) => event.type === "session.status_changed");
  const result: StatusSpan[] = [];
  let at = Date.parse(created);
  let status = "pending";
  for (const change of changes) {
    const then = Date.parse(change.at);
    result.push({ status, from: at, to: then });
    status = String(change.payload.to);
    at = then;
  }
  const { group } = statusStyle(status);
  if (group === "active" || group === "waiting") result.push({ status, from: at, to: Math.max(now, at) });
  return result;
}

function describeEvent(event: Event): string {
  const payload: Record<string, unknown> = { ...event.payload };
  const first = (value: unknown) =>
    String(value ?? "")
      .split("\n")[0]
      ?.slice(0, 160) ?? "";
  switch (event.type) {
    case "session.status_changed":
      return `${payload.from} → ${payload.to}${payload.reason ? `: ${payload.reason}` : ""}`;
    case "session.message":
      return first(payload.text);
    case "session.tool":
      return `${payload.tool} ${first(payload.title)} (${payload.state})`;
    case "session.usage":
      return `${payload.tokens_input} in, ${payload.tokens_output} out, $${payload.cost_usd}`;
    case "session.log":
      return first(payload.code ? `${payload.code} ${payload.message}` : payload.message);
    case "session.question":
      return first(payload.text);
    default:
      return first(payload.path ?? payload.title ?? (payload.sequence ? `number ${payload.sequence}` : ""));
  }
}

/** The time in each state, and every event of the log. */
export function SessionTimeline({ events, created, now }: { events: readonly Event[]; created: string; now: number }) {
  const all = statusSpans(events, created, now);
  const whole = Math.max(
    1,
    all.reduce((sum, span) => sum + span.to - span.from, 0),
  );
  if (events.length === 0) return <EmptyState title="Nothing has happened yet." />;
  return (
    <div className="p-3 md:p-4">
      <div
        className="mb-4 flex h-5 gap-px overflow-hidden rounded"
        role="img"
        aria-label={all
          .map((span) => `${formatWords(span.status)} ${Math.round((span.to - span.from) / 1000)} s`)
          .join(", ")}
      >
        {all.map((span) => (
          <div
            key={`${span.status} ${span.from}`}
            title={`${formatWords(span.status)}: ${((span.to - span.from) / 1000).toFixed(1)} s`}
            className="flex min-w-3 items-center justify-center overflow-hidden"
            style={{
              flexGrow: (span.to - span.from) / whole,
              backgroundColor: `color-mix(in oklab, ${statusStyle(span.status).colour} 30%, var(--surface))`,
            }}
          >
            <StatusShape status={span.status} className="size-2.5" />
          </div>
        ))}
      </div>
      <ol className="flex flex-col text-[0.8125rem]">
        {events.map((event) => (
          <li
            key={event.seq}
            className="grid grid-cols-[2.5rem_5rem_minmax(0,1fr)] gap-x-2 border-b border-line py-1 last:border-0 md:grid-cols-[2.5rem_5.5rem_10rem_8rem_minmax(0,1fr)]"
          >
            <span className="figure text-xs text-muted">{event.seq}</span>
            <RelativeTime at={event.at} className="text-xs text-muted" />
            <span className="figure truncate text-xs max-md:hidden">{event.type.replace("session.", "")}</span>
            <span className="truncate text-xs text-muted max-md:hidden">{event.actor.name}</span>
            <span className="min-w-0 truncate">{describeEvent(event)}</span>
          </li>
        ))}
      </ol>
    </div>
  );
}
