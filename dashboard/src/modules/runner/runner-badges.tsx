import { Shield, ShieldAlert, ShieldCheck, ShieldOff } from "lucide-react";
import type { Runner, RunnerIsolation, RunnerState } from "@/api/fleet-types";
import { cx } from "@/components/class-names";
import { LabelChip } from "@/components/page-layout";
import { UsageMeter } from "@/components/usage-meter";

interface StateMark {
  readonly tone: string;
  /** Drawn on 12 by 12 units. States differ by their shape, not only by their colour. */
  readonly path: string;
  readonly filled: boolean;
  readonly meaning: string;
}

const STATE_MARKS: Readonly<Record<RunnerState, StateMark>> = {
  active: { tone: "text-good", path: "M6 2a4 4 0 1 0 0 8a4 4 0 1 0 0-8", filled: true, meaning: "takes sessions" },
  draining: {
    tone: "text-warning",
    path: "M2 2.5h8L6 10z",
    filled: true,
    meaning: "finishes its sessions and takes no new ones",
  },
  offline: {
    tone: "text-danger",
    path: "M2.5 2.5l7 7M9.5 2.5l-7 7",
    filled: false,
    meaning: "has not called for some time",
  },
};

/** All states of runners, as filters offer them. */
export const RUNNER_STATES = Object.keys(STATE_MARKS) as RunnerState[];

export function RunnerStateBadge({ state }: { state: RunnerState }) {
  const { tone, path, filled, meaning } = STATE_MARKS[state];
  return (
    <span className="inline-flex items-center gap-1.5 whitespace-nowrap" title={meaning}>
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
      {state}
    </span>
  );
}

const ISOLATION_MARKS = {
  sandbox: { Icon: ShieldCheck, tone: "text-good", meaning: "each session has namespaces and limits of its own" },
  container: { Icon: Shield, tone: "text-good", meaning: "sessions run in a container" },
  process: { Icon: ShieldAlert, tone: "text-warning", meaning: "sessions are separated only by user and folder" },
  none: { Icon: ShieldOff, tone: "text-danger", meaning: "sessions are not separated from each other" },
} as const satisfies Readonly<Record<RunnerIsolation, unknown>>;

/** How a runner separates sessions, and why it does not do more. */
export function RunnerIsolationLabel({ runner }: { runner: Pick<Runner, "isolation" | "isolation_reason"> }) {
  const { Icon, tone, meaning } = ISOLATION_MARKS[runner.isolation];
  return (
    <span className="block">
      <span className="inline-flex items-center gap-1.5 whitespace-nowrap" title={meaning}>
        <Icon aria-hidden className={cx("size-3.5", tone)} />
        {runner.isolation}
      </span>
      {runner.isolation_reason && <span className="block max-w-72 text-2xs text-muted">{runner.isolation_reason}</span>}
    </span>
  );
}

/** The slots in use. The tasks may belong to several tenants. */
export function RunnerSlots({ runner: { name, busy, slots } }: { runner: Pick<Runner, "name" | "busy" | "slots"> }) {
  return (
    <div className="inline-flex items-center gap-2 whitespace-nowrap">
      <span className="figure text-xs">
        {busy}
        <span className="text-muted">/{slots}</span>
      </span>
      <div className="w-14">
        <UsageMeter used={busy} limit={slots} label={`Slots of ${name} in use`} neutral />
      </div>
    </div>
  );
}

/** The labels of a runner in the order of their names. */
export function RunnerLabels({ labels }: { labels: Runner["labels"] }) {
  const all = Object.entries(labels).sort(([one], [other]) => (one < other ? -1 : 1));
  if (all.length === 0) return <span className="text-muted">–</span>;
  return (
    <span className="flex flex-wrap gap-1">
      {all.map(([name, value]) => (
        <LabelChip key={name}>
          {name}
          {value && `: ${value}`}
        </LabelChip>
      ))}
    </span>
  );
}
