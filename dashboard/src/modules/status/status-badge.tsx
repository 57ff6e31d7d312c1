import { cx } from "@/components/class-names";
import { formatWords } from "@/components/format";
import { type AnyStatus, statusStyle } from "./status-styles";

/** A shape per state, so that states differ by more than their colour. Drawn on 12 by 12 units. */
const SHAPES: Readonly<Record<AnyStatus, { path: string; filled?: boolean }>> = {
  pending: { path: "M6 2a4 4 0 1 0 0 8a4 4 0 1 0 0-8" },
  queued: { path: "M2 3h8M2 6h8M2 9h5" },
  running: { path: "M3.5 1.8v8.4L10.5 6z", filled: true },
  paused: { path: "M3 2h2v8H3zM7 2h2v8H7z", filled: true },
  degraded: { path: "M6 1.5L11 10.5H1zM6 5v2.4M6 8.8v.2" },
  completed: { path: "M1.8 6.4L4.8 9.4L10.4 2.8" },
  partially_completed: { path: "M6 1.5a4.5 4.5 0 0 0 0 9zM6 1.5a4.5 4.5 0 1 1 0 9" },
  failed: { path: "M2.5 2.5l7 7M9.5 2.5l-7 7" },
  timeout: { path: "M6 1.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 1 0 0-9M6 3.6V6l1.8 1.4" },
  stopped: { path: "M2.5 2.5h7v7h-7z", filled: true },
  cancelled: { path: "M6 1.8a4.2 4.2 0 1 0 0 8.4a4.2 4.2 0 1 0 0-8.4M3.2 8.8l5.6-5.6" },
  orphaned: { path: "M6 1l5 5l-5 5l-5-5z" },
  evaluating: { path: "M5 1.6a3.4 3.4 0 1 0 0 6.8a3.4 3.4 0 1 0 0-6.8M7.6 7.6L10.6 10.6" },
  draft: { path: "M2 10l.8-3L8.4 1.4l2.2 2.2L5 9.2z" },
};

export function StatusShape({ status, className }: { status: string; className?: string }) {
  const shape = SHAPES[status as AnyStatus] ?? SHAPES.pending;
  const { colour } = statusStyle(status);
  return (
    <svg
      viewBox="0 0 12 12"
      aria-hidden="true"
      className={cx("size-3 shrink-0", status === "running" && "animate-[breathe_2s_ease-in-out_infinite]", className)}
      style={{ color: `color-mix(in oklab, ${colour} 78%, var(--ring-mix))` }}
      fill={shape.filled ? colour : "none"}
      stroke="currentColor"
      strokeWidth={shape.filled ? 0.9 : 1.7}
      strokeLinecap="round"
      strokeLinejoin="round"
    >
      <path d={shape.path} />
    </svg>
  );
}

/** A state with its shape, colour and name. `meaning` replaces the tooltip, whose default describes sessions. */
export function StatusBadge({ status, large, meaning }: { status: string; large?: boolean; meaning?: string }) {
  const { colour, means } = statusStyle(status);
  return (
    <span
      title={meaning ?? means}
      data-status={status}
      className={cx(
        "inline-flex items-center gap-1.5 rounded border whitespace-nowrap",
        large ? "h-7 px-2.5 text-[0.8125rem] font-medium" : "h-5 px-1.5 text-xs",
      )}
      style={{
        backgroundColor: `color-mix(in oklab, ${colour} 13%, var(--surface))`,
        borderColor: `color-mix(in oklab, ${colour} 45%, var(--line))`,
      }}
    >
      <StatusShape status={status} />
      {formatWords(status)}
    </span>
  );
}
