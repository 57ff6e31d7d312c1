"use client";

import { useSyncExternalStore } from "react";
import { duration, exact, relative } from "./format";

/** One clock for every time on the page, so that they all move together. */
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

/** How long ago, with the exact time on hover. */
export function Ago({ at, className }: { at: string; className?: string }) {
  const now = useNow();
  return (
    <time dateTime={at} title={exact(at)} className={className}>
      {relative(at, now || Date.parse(at))}
    </time>
  );
}

/** How long something has taken, or takes so far. */
export function Lasting({ from, to }: { from: string; to?: string | null }) {
  const now = useNow();
  const end = to ? Date.parse(to) : now || Date.parse(from);
  const seconds = Math.max(0, (end - Date.parse(from)) / 1000);
  return (
    <span className="figure" title={`${exact(from)} – ${to ? exact(to) : "now"}`}>
      {duration(to ? seconds : Math.floor(seconds) || seconds)}
    </span>
  );
}
