"use client";

import Link from "next/link";
import type { AgentStats, Quota, Stats } from "@/api/schema";
import { formatCompact, formatCount, formatDuration, formatPercent, formatUsd } from "@/components/format";
import { UsageMeter } from "@/components/usage-meter";

const FAILURES = "failed,timeout,orphaned";

function OverviewTile({
  label,
  value,
  note,
  href,
  children,
}: {
  label: string;
  value: React.ReactNode;
  note?: React.ReactNode;
  href?: string;
  children?: React.ReactNode;
}) {
  const inside = (
    <>
      <p className="label">{label}</p>
      <p className="figure mt-1 text-2xl leading-none font-semibold">{value}</p>
      <div className="mt-2 min-h-4 text-xs text-muted">{children ?? note}</div>
    </>
  );
  const look = "block bg-surface p-3";
  return href ? (
    <Link href={href} className={`${look} hover:bg-raised`}>
      {inside}
    </Link>
  ) : (
    <div className={look}>{inside}</div>
  );
}

interface OverviewFiguresProps {
  stats?: Stats;
  agents?: AgentStats;
  /** The tokens of this month and their limit. */
  monthQuota?: Quota;
}

export function OverviewFigures({ stats: now, agents, monthQuota: month }: OverviewFiguresProps) {
  const failures = (now?.by_status.failed ?? 0) + (now?.by_status.timeout ?? 0) + (now?.by_status.orphaned ?? 0);
  return (
    <div className="panel grid grid-cols-2 gap-px overflow-hidden bg-line sm:grid-cols-3 xl:grid-cols-6">
      <OverviewTile label="Running" value={now ? now.active : "–"} href="/sessions/?status=running,degraded">
        {now && (
          <span className="flex flex-col gap-1">
            <UsageMeter used={now.active} limit={now.limit} label="Slots in use" />
            <span className="figure">
              {now.active} of {now.limit} slots
            </span>
          </span>
        )}
      </OverviewTile>
      <OverviewTile
        label="Queued"
        value={now ? formatCount(now.queued) : "–"}
        note="waiting for a slot, a workspace or an agent"
        href="/sessions/?status=queued"
      />
      <OverviewTile
        label="Failures"
        value={now ? formatCount(failures) : "–"}
        note={
          now?.success_rate != null
            ? `${formatPercent(now.success_rate, 1)} of ended sessions succeeded`
            : "no session has ended yet"
        }
        href={`/sessions/?status=${FAILURES}`}
      />
      <OverviewTile
        label="Agents"
        value={agents ? `${agents.available}/${agents.total}` : "–"}
        note={agents && `available · capacity ${agents.capacity}`}
        href="/agents/"
      />
      <OverviewTile label="Tokens this month" value={now ? formatCompact(now.tokens_this_month) : "–"} href="/quotas/">
        {month?.limit ? (
          <span className="flex flex-col gap-1">
            <UsageMeter used={month.used ?? 0} limit={month.limit} label="Tokens used this month" />
            <span className="figure">of {formatCompact(month.limit)}</span>
          </span>
        ) : (
          "no limit"
        )}
      </OverviewTile>
      <OverviewTile
        label="Cost this month"
        value={now ? formatUsd(now.cost_usd_this_month) : "–"}
        note={
          now?.duration_seconds.p50 != null &&
          `p50 ${formatDuration(now.duration_seconds.p50)} · p95 ${formatDuration(now.duration_seconds.p95 ?? 0)}`
        }
      />
    </div>
  );
}
