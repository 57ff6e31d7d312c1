"use client";

import { useRouter } from "next/navigation";
import type { Session } from "@/api/schema";
import { duration, percent, words } from "@/components/format";
import { look } from "@/modules/status/status";

export interface Ended {
  readonly session: Session;
  readonly at: number;
  readonly seconds: number;
  readonly good: boolean;
}

/** The sessions that ran and ended, oldest first. */
export function ended(sessions: readonly Session[]): Ended[] {
  const all = sessions.flatMap((session) => {
    if (!session.ended_at || !session.started_at) return [];
    const at = Date.parse(session.ended_at);
    const seconds = Math.max(0.05, (at - Date.parse(session.started_at)) / 1000);
    return [{ session, at, seconds, good: look(session.status).group === "success" }];
  });
  return all.sort((one, other) => one.at - other.at);
}

const WINDOW = 20;

/** Of each end and the ones before it: how many were good. */
export function successes(all: readonly Ended[], window = WINDOW): number[] {
  return all.map((_, index) => {
    const some = all.slice(Math.max(0, index - window + 1), index + 1);
    return some.filter((one) => one.good).length / some.length;
  });
}

const [WIDTH, HEIGHT] = [800, 150];

/** Each end as a bar as high as it took long (on a logarithmic scale), with the rolling share of successes above. */
export function Outcomes({ sessions }: { sessions: readonly Session[] }) {
  const router = useRouter();
  const all = ended(sessions);
  if (all.length === 0) return <p className="p-3 text-[0.8125rem] text-muted">None of them has run.</p>;
  const share = successes(all);
  const log = (seconds: number) => Math.log10(1 + seconds);
  const most = Math.max(...all.map((one) => log(one.seconds)));
  const step = WIDTH / Math.max(all.length, 40);
  const x = (index: number) => WIDTH - (all.length - index) * step;
  const height = (seconds: number) => 6 + (log(seconds) / (most || 1)) * (HEIGHT - 16);
  const line = share
    .map(
      (value, index) =>
        `${index === 0 ? "M" : "L"}${(x(index) + step / 2).toFixed(1)} ${(6 + (1 - value) * (HEIGHT - 12)).toFixed(1)}`,
    )
    .join("");
  const good = all.filter((one) => one.good).length;
  const median = [...all].sort((one, other) => one.seconds - other.seconds)[Math.floor(all.length / 2)];
  return (
    <figure className="p-3">
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        className="h-40 w-full"
        role="img"
        aria-label={`${good} of ${all.length} succeeded; half took at most ${duration(median?.seconds ?? 0)}`}
      >
        {[0.25, 0.5, 0.75].map((at) => (
          <line
            key={at}
            x1="0"
            x2={WIDTH}
            y1={HEIGHT * at}
            y2={HEIGHT * at}
            stroke="var(--line)"
            strokeWidth="1"
            vectorEffect="non-scaling-stroke"
          />
        ))}
        {all.map(({ session, seconds, good }, index) => (
          // biome-ignore lint/a11y/noStaticElementInteractions: the same sessions stand in the list of sessions
          <g
            key={session.id}
            className="cursor-pointer hover:opacity-70"
            onClick={() => router.push(`/session/?id=${session.id}`)}
          >
            <title>{`${session.title}: ${words(session.status)} after ${duration(seconds)}`}</title>
            <rect x={x(index)} width={step} y="0" height={HEIGHT} fill="transparent" />
            <rect
              x={x(index) + step * 0.15}
              width={step * 0.7}
              y={HEIGHT - height(seconds)}
              height={height(seconds)}
              fill={look(session.status).colour}
              opacity={good ? 0.7 : 0.95}
            />
            {!good && (
              <rect
                x={x(index) + step * 0.15}
                width={step * 0.7}
                y={HEIGHT - height(seconds) - 5}
                height="3"
                fill="var(--danger)"
              />
            )}
          </g>
        ))}
        <path
          d={line}
          fill="none"
          stroke="var(--accent)"
          strokeWidth="2"
          vectorEffect="non-scaling-stroke"
          pointerEvents="none"
        />
      </svg>
      <figcaption className="mt-2 flex flex-wrap gap-x-5 gap-y-1 text-xs text-muted">
        <span className="flex items-center gap-1.5">
          <span aria-hidden className="h-0.5 w-4 bg-accent" /> good ones among the last {WINDOW}:{" "}
          <b className="figure text-text">{percent(share.at(-1) ?? 0)}</b>
        </span>
        <span>
          bars: how long it took, longest {duration(Math.max(...all.map((one) => one.seconds)))}, half at most{" "}
          <b className="figure text-text">{duration(median?.seconds ?? 0)}</b>
        </span>
        <span>a cap marks a failure</span>
      </figcaption>
    </figure>
  );
}
