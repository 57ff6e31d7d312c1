"use client";

import { useRouter } from "next/navigation";
import type { Session } from "@/api/schema";
import { formatDuration, formatPercent, formatWords } from "@/components/format";
import { statusStyle } from "@/modules/status/status-styles";

export interface EndedSession {
  readonly session: Session;
  readonly at: number;
  readonly seconds: number;
  readonly good: boolean;
}

/** The sessions that ran and ended, oldest first. */
export function endedSessions(sessions: readonly Session[]): EndedSession[] {
  const all = sessions.flatMap((session) => {
    if (!session.ended_at || !session.started_at) return [];
    const at = Date.parse(session.ended_at);
    const seconds = Math.max(0.05, (at - Date.parse(session.started_at)) / 1000);
    return [{ session, at, seconds, good: statusStyle(session.status).group === "success" }];
  });
  return all.sort((one, other) => one.at - other.at);
}

const SUCCESS_WINDOW = 20;

/** For each session, the share of successes among it and the ones before it. */
export function rollingSuccessRate(all: readonly EndedSession[], window = SUCCESS_WINDOW): number[] {
  return all.map((_, index) => {
    const some = all.slice(Math.max(0, index - window + 1), index + 1);
    return some.filter((one) => one.good).length / some.length;
  });
}

const [WIDTH, HEIGHT] = [800, 150];

/** Where things are drawn. The height of a bar grows with the logarithm of its duration. */
function outcomeScale(all: readonly EndedSession[]) {
  const log = (seconds: number) => Math.log10(1 + seconds);
  const longest = Math.max(...all.map((one) => log(one.seconds)));
  const step = WIDTH / Math.max(all.length, 40);
  return {
    step,
    x: (index: number) => WIDTH - (all.length - index) * step,
    barHeight: (seconds: number) => 6 + (log(seconds) / (longest || 1)) * (HEIGHT - 16),
    rateY: (rate: number) => 6 + (1 - rate) * (HEIGHT - 12),
  };
}

type OutcomeScale = ReturnType<typeof outcomeScale>;

/** A bar per ended session, whose height is its duration, below the rolling success rate. */
export function OutcomeChart({ sessions }: { sessions: readonly Session[] }) {
  const all = endedSessions(sessions);
  if (all.length === 0) return <p className="p-3 text-[0.8125rem] text-muted">None of these sessions has run.</p>;
  const rates = rollingSuccessRate(all);
  const scale = outcomeScale(all);
  const line = rates
    .map(
      (rate, index) =>
        `${index === 0 ? "M" : "L"}${(scale.x(index) + scale.step / 2).toFixed(1)} ${scale.rateY(rate).toFixed(1)}`,
    )
    .join("");
  const durations = all.map((one) => one.seconds).sort((one, other) => one - other);
  const median = formatDuration(durations[Math.floor(all.length / 2)] ?? 0);
  const succeeded = all.filter((one) => one.good).length;
  return (
    <figure className="p-3">
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        className="h-40 w-full"
        role="img"
        aria-label={`${succeeded} of ${all.length} succeeded; median duration ${median}`}
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
        {all.map((ended, index) => (
          <OutcomeBar key={ended.session.id} ended={ended} x={scale.x(index)} scale={scale} />
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
          <span aria-hidden className="h-0.5 w-4 bg-accent" /> success rate of the last {SUCCESS_WINDOW}:{" "}
          <b className="figure text-text">{formatPercent(rates.at(-1) ?? 0)}</b>
        </span>
        <span>
          bars: duration, longest {formatDuration(durations.at(-1) ?? 0)}, median{" "}
          <b className="figure text-text">{median}</b>
        </span>
        <span>a cap marks a failure</span>
      </figcaption>
    </figure>
  );
}

interface OutcomeBarProps {
  ended: EndedSession;
  x: number;
  scale: OutcomeScale;
}

function OutcomeBar({ ended: { session, seconds, good }, x, scale }: OutcomeBarProps) {
  const router = useRouter();
  const bar = { x: x + scale.step * 0.15, width: scale.step * 0.7 };
  const height = scale.barHeight(seconds);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the list of sessions has a link to each of them
    <g className="cursor-pointer hover:opacity-70" onClick={() => router.push(`/sessions/detail/?id=${session.id}`)}>
      <title>{`${session.title}: ${formatWords(session.status)} after ${formatDuration(seconds)}`}</title>
      <rect x={x} width={scale.step} y="0" height={HEIGHT} fill="transparent" />
      <rect
        {...bar}
        y={HEIGHT - height}
        height={height}
        fill={statusStyle(session.status).colour}
        opacity={good ? 0.7 : 0.95}
      />
      {!good && <rect {...bar} y={HEIGHT - height - 5} height="3" fill="var(--danger)" />}
    </g>
  );
}
