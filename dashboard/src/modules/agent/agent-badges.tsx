import type { AgentStatus, LoadLevel, Tier } from "@/api/schema";
import { cx } from "@/components/class-names";

const STATUS_MARKS: Readonly<Record<AgentStatus, { tone: string; path: string; filled: boolean }>> = {
  healthy: { tone: "text-good", path: "M6 2a4 4 0 1 0 0 8a4 4 0 1 0 0-8", filled: true },
  busy: { tone: "text-accent", path: "M2 2h8v8H2z", filled: true },
  degraded: { tone: "text-warning", path: "M6 1.5L11 10.5H1z", filled: true },
  offline: { tone: "text-danger", path: "M2.5 2.5l7 7M9.5 2.5l-7 7", filled: false },
};

export function AgentStatusBadge({ status }: { status: AgentStatus }) {
  const { tone, path, filled } = STATUS_MARKS[status];
  return (
    <span className="inline-flex items-center gap-1.5 whitespace-nowrap">
      <svg
        viewBox="0 0 12 12"
        aria-hidden="true"
        className={cx("size-2.5", tone)}
        fill={filled ? "currentColor" : "none"}
        stroke="currentColor"
        strokeWidth="2"
      >
        <path d={path} />
      </svg>
      {status}
    </span>
  );
}

const TIERS: readonly Tier[] = ["degraded", "trainee", "competent", "standard", "advanced", "premium", "elite"];

export function AgentTierBadge({ tier }: { tier: Tier }) {
  const rank = TIERS.indexOf(tier);
  return (
    <span className="inline-flex items-center gap-2 whitespace-nowrap" title={`Tier ${rank + 1} of ${TIERS.length}`}>
      <span aria-hidden className="flex gap-px">
        {TIERS.slice(1).map((one, index) => (
          <span key={one} className={cx("h-2.5 w-1", index < rank ? "bg-text" : "bg-line-strong")} />
        ))}
      </span>
      {tier}
    </span>
  );
}

const LOAD_COLOURS: Readonly<Record<LoadLevel, string>> = {
  idle: "bg-line-strong",
  optimal: "bg-good",
  high: "bg-warning",
  critical: "bg-danger",
  overloaded: "bg-danger",
};

export function AgentLoadBadge({ load, level }: { load: number; level: LoadLevel }) {
  return (
    <span className="inline-flex items-center gap-2 whitespace-nowrap">
      <span aria-hidden className="h-1.5 w-16 overflow-hidden rounded-full bg-line">
        <span className={cx("block h-full", LOAD_COLOURS[level])} style={{ width: `${Math.min(1, load) * 100}%` }} />
      </span>
      <span className="figure w-9 text-right text-xs">{Math.round(load * 100)}%</span>
      <span className="text-xs text-muted">{level}</span>
    </span>
  );
}
