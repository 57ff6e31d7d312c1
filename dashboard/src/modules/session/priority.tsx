import type { PriorityWord } from "@/api/schema";

const BARS: Readonly<Record<PriorityWord, number>> = { critical: 4, high: 3, medium: 2, low: 1, deferred: 0 };

/** A priority as bars and as its word. */
export function Priority({ word }: { word: string }) {
  const filled = BARS[word as PriorityWord] ?? 0;
  return (
    <span className="inline-flex items-center gap-1.5 whitespace-nowrap">
      <svg viewBox="0 0 14 10" aria-hidden="true" className="h-2.5 w-3.5">
        {[0, 1, 2, 3].map((bar) => (
          <rect
            key={bar}
            x={bar * 3.6}
            y={7 - bar * 2.2}
            width="2.4"
            height={3 + bar * 2.2}
            rx="0.5"
            fill={bar < filled ? (filled === 4 ? "var(--danger)" : "var(--text)") : "var(--line-strong)"}
          />
        ))}
      </svg>
      <span>{word}</span>
    </span>
  );
}
