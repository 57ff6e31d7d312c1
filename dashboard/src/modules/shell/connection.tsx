"use client";

import { useIsFetching, useQueryClient } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import { Unreachable } from "@/api/problem";
import { cx } from "@/components/class-names";
import type { LiveState } from "@/live/connection";
import { useLiveState } from "@/live/hooks";

const SAYS: Readonly<Record<LiveState, { word: string; means: string; tone: string; path: string }>> = {
  live: {
    word: "Live",
    means: "Changes arrive as they happen.",
    tone: "text-good",
    path: "M6 2a4 4 0 1 0 0 8a4 4 0 1 0 0-8",
  },
  connecting: {
    word: "Connecting",
    means: "The live stream is being opened.",
    tone: "text-muted",
    path: "M6 2a4 4 0 0 1 4 4",
  },
  polling: {
    word: "Polling",
    means: "The live stream is not there: the page asks every few seconds, and keeps trying to come back.",
    tone: "text-warning",
    path: "M2 2h8v8H2z",
  },
  offline: {
    word: "Offline",
    means: "Nothing answers. What is shown may be old.",
    tone: "text-danger",
    path: "M6 1.5L11 10.5H1z",
  },
};

/** Whether the last thing that was asked got no answer at all. */
function useUnreachable(): boolean {
  const cache = useQueryClient().getQueryCache();
  useIsFetching();
  return useSyncExternalStore(
    (listener) => cache.subscribe(listener),
    () => cache.getAll().some((query) => query.isActive() && query.state.error instanceof Unreachable),
    () => false,
  );
}

export function Connection() {
  const state = useLiveState();
  const unreachable = useUnreachable();
  const shown = unreachable ? "offline" : state;
  const { word, means, tone, path } = SAYS[shown];
  return (
    <span
      role="status"
      aria-live="polite"
      data-connection={shown}
      title={means}
      className="flex h-8 items-center gap-1.5 px-1.5 text-xs"
    >
      <svg
        viewBox="0 0 12 12"
        aria-hidden="true"
        className={cx("size-2.5", tone, shown === "connecting" && "animate-spin")}
        fill={shown === "connecting" ? "none" : "currentColor"}
        stroke="currentColor"
        strokeWidth="2"
      >
        <path d={path} />
      </svg>
      <span className="max-sm:sr-only">{word}</span>
    </span>
  );
}
