"use client";

import { useSyncExternalStore } from "react";
import { formatDuration, formatExactTime, formatRelativeTime } from "./format";

/** One clock for all times on the page, so that they change together. */
const listeners = new Set<() => void>();
let now = 0;
let timer: ReturnType<typeof setInterval> | undefined;

function tick() {
  now = Date.now();
  for (const each of listeners) each();
}

function subscribe(listener: () => void) {
  listeners.add(listener);
  if (!timer) {
    now = Date.now();
    timer = setInterval(tick, 1000);
  }
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

export function useNow(): number {
  return useSyncExternalStore(
    subscribe,
    () => now,
    () => 0,
  );
}

/** A time relative to now, with the exact time as tooltip. */
export function RelativeTime({ at, className }: { at: string; className?: string }) {
  const now = useNow();
  return (
    <time dateTime={at} title={formatExactTime(at)} className={className}>
      {formatRelativeTime(at, now || Date.parse(at))}
    </time>
  );
}

/** The duration of something that has ended, or has taken so far. */
export function ElapsedTime({ from, to }: { from: string; to?: string | null }) {
  const now = useNow();
  const end = to ? Date.parse(to) : now || Date.parse(from);
  const seconds = Math.max(0, (end - Date.parse(from)) / 1000);
  return (
    <span className="figure" title={`${formatExactTime(from)} – ${to ? formatExactTime(to) : "now"}`}>
      {formatDuration(to ? seconds : Math.floor(seconds) || seconds)}
    </span>
  );
}
