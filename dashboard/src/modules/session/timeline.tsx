import type { Event } from "@/api/schema";
import { words } from "@/components/format";
import { Empty } from "@/components/states";
import { Ago } from "@/components/time";
import { StatusShape } from "@/modules/status/badge";
import { look } from "@/modules/status/status";

interface Span {
  status: string;
  from: number;
  to: number;
}

/** How long it stood where. */
export function spans(events: readonly Event[], created: string, now: number): Span[] {
  const changes = events.filter((event) => event.type === "session.status_changed");
  const result: Span[] = [];
  let at = Date.parse(created);
  let status = "pending";
  for (const change of changes) {
    const then = Date.parse(change.at);
    result.push({ status, from: at, to: then });
    status = String(change.payload.to);
    at = then;
  }
  const { group } = look(status);
  if (group === "active" || group === "waiting") result.push({ status, from: at, to: Math.max(now, at) });
  return result;
}

function told(event: Event): string {
  const { payload } = event;
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
      return first(payload.message);
    case "session.question":
      return first(payload.text);
    default:
      return first(payload.path ?? payload.title ?? (payload.sequence ? `number ${payload.sequence}` : ""));
  }
}

/** Where the time went, and every event as it is kept. */
export function Timeline({ events, created, now }: { events: readonly Event[]; created: string; now: number }) {
  const all = spans(events, created, now);
  const whole = Math.max(
    1,
    all.reduce((sum, span) => sum + span.to - span.from, 0),
  );
  if (events.length === 0) return <Empty title="Nothing has happened yet." />;
  return (
    <div className="p-3 md:p-4">
      <div
        className="mb-4 flex h-5 gap-px overflow-hidden rounded"
        role="img"
        aria-label={all.map((span) => `${words(span.status)} ${Math.round((span.to - span.from) / 1000)} s`).join(", ")}
      >
        {all.map((span) => (
          <div
            key={`${span.status} ${span.from}`}
            title={`${words(span.status)}: ${((span.to - span.from) / 1000).toFixed(1)} s`}
            className="flex min-w-3 items-center justify-center overflow-hidden"
            style={{
              flexGrow: (span.to - span.from) / whole,
              backgroundColor: `color-mix(in oklab, ${look(span.status).colour} 30%, var(--surface))`,
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
            <Ago at={event.at} className="text-xs text-muted" />
            <span className="figure truncate text-xs max-md:hidden">{event.type.replace("session.", "")}</span>
            <span className="truncate text-xs text-muted max-md:hidden">{event.actor.name}</span>
            <span className="min-w-0 truncate">{told(event)}</span>
          </li>
        ))}
      </ol>
    </div>
  );
}
