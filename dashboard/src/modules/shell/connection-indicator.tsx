"use client";

import type { LiveState } from "@/api/live-frame";
import { cx } from "@/components/class-names";
import { useLiveState } from "@/hooks/live-connection";
import { useIsUnreachable } from "@/hooks/use-is-unreachable";

const STATE_DISPLAY: Readonly<Record<LiveState, { word: string; means: string; tone: string; path: string }>> = {
  live: {
    word: "Live",
    means: "Changes appear immediately.",
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
    means: "The live stream is not available. The page polls every few seconds and keeps trying to reconnect.",
    tone: "text-warning",
    path: "M2 2h8v8H2z",
  },
  offline: {
    word: "Offline",
    means: "The server does not respond. The page may show old data.",
    tone: "text-danger",
    path: "M6 1.5L11 10.5H1z",
  },
};

export function ConnectionIndicator() {
  const state = useLiveState();
  const unreachable = useIsUnreachable();
  const shown = unreachable ? "offline" : state;
  const { word, means, tone, path } = STATE_DISPLAY[shown];
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
