"use client";

import Link from "next/link";
import { useMemo } from "react";
import { useAgentStats } from "@/api/queries/agents";
import { useFirstSessions, useSessionStats } from "@/api/queries/sessions";
import { useQuotas } from "@/api/queries/tenancy";
import type { Session } from "@/api/schema";
import { compact, count, duration, percent, usd } from "@/components/format";
import { Meter } from "@/components/meter";
import { PageHead, Panel } from "@/components/page";
import { Empty, Failure, Loading } from "@/components/states";
import { Ago } from "@/components/time";
import { asks } from "@/modules/session/actions";
import { Outcomes } from "@/modules/session/outcomes";
import { waits } from "@/modules/session/waits";
import { StatusBadge, StatusShape } from "@/modules/status/badge";

const FAILURES = "failed,timeout,orphaned";
const ENDS = "completed,partially_completed,failed,timeout,stopped";

function Tile({
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

function Figures() {
  const stats = useSessionStats();
  const agents = useAgentStats();
  const quotas = useQuotas();
  if (stats.isLoadingError) return <Failure error={stats.error} retry={() => void stats.refetch()} />;
  const now = stats.data;
  const month = quotas.data?.items.find((one) => one.name === "tokens_per_month");
  const failures = (now?.by_status.failed ?? 0) + (now?.by_status.timeout ?? 0) + (now?.by_status.orphaned ?? 0);
  return (
    <div className="panel grid grid-cols-2 gap-px overflow-hidden bg-line sm:grid-cols-3 xl:grid-cols-6">
      <Tile label="Running" value={now ? now.active : "–"} href="/sessions/?status=running,degraded">
        {now && (
          <span className="flex flex-col gap-1">
            <Meter used={now.active} limit={now.limit} label="Slots in use" />
            <span className="figure">
              {now.active} of {now.limit} slots
            </span>
          </span>
        )}
      </Tile>
      <Tile
        label="Queued"
        value={now ? count(now.queued) : "–"}
        note="wait for a slot, a workspace or an agent"
        href="/sessions/?status=queued"
      />
      <Tile
        label="Failures"
        value={now ? count(failures) : "–"}
        note={
          now?.success_rate != null ? `${percent(now.success_rate, 1)} of all ends are good` : "nothing has ended yet"
        }
        href={`/sessions/?status=${FAILURES}`}
      />
      <Tile
        label="Agents"
        value={agents.data ? `${agents.data.available}/${agents.data.total}` : "–"}
        note={agents.data && `can take work · room for ${agents.data.capacity}`}
        href="/agents/"
      />
      <Tile label="Tokens this month" value={now ? compact(now.tokens_this_month) : "–"} href="/quotas/">
        {month?.limit ? (
          <span className="flex flex-col gap-1">
            <Meter used={month.used ?? 0} limit={month.limit} label="Tokens of the month used" />
            <span className="figure">of {compact(month.limit)}</span>
          </span>
        ) : (
          "no limit"
        )}
      </Tile>
      <Tile
        label="Cost this month"
        value={now ? usd(now.cost_usd_this_month) : "–"}
        note={
          now?.duration_seconds.p50 != null &&
          `p50 ${duration(now.duration_seconds.p50)} · p95 ${duration(now.duration_seconds.p95 ?? 0)}`
        }
      />
    </div>
  );
}

/** What waits for a person: questions first, then what is held by limits, then what failed and can be brought back. */
function NeedsYou() {
  const paused = useFirstSessions({ status: "paused" }, 50);
  const failed = useFirstSessions({ status: "failed,timeout" }, 20);
  if (paused.isLoadingError) return <Failure error={paused.error} retry={() => void paused.refetch()} />;
  if (paused.isPending) return <Loading rows={4} />;
  const held = paused.data.items;
  const back = (failed.data?.items ?? []).filter((one) => one.recoverable).slice(0, 5);
  const all = [...held.filter(asks), ...held.filter((one) => !asks(one)), ...back];
  if (all.length === 0) return <Empty title="Nothing needs you." />;
  return (
    <ul className="max-h-96 overflow-y-auto">
      {all.slice(0, 25).map((one) => (
        <li key={one.id} className="border-b border-line last:border-0">
          <Link href={`/session/?id=${one.id}`} className="block px-3 py-2 text-[0.8125rem] hover:bg-raised">
            <span className="flex items-center gap-2">
              <StatusBadge status={one.status} />
              <span className="min-w-0 flex-1 truncate font-medium">{one.title}</span>
              <Ago at={one.status_changed_at} className="shrink-0 text-xs text-muted" />
            </span>
            <span className="mt-0.5 block truncate text-xs text-muted">
              {one.pause?.question?.text ?? one.outcome?.error?.message ?? waits(one)}
            </span>
          </Link>
        </li>
      ))}
    </ul>
  );
}

/** The sessions whose state changed last, of the newest ones. */
function Activity() {
  const newest = useFirstSessions({}, 50);
  const rows = useMemo(() => {
    const at = (one: Session) => Date.parse(one.status_changed_at);
    return [...(newest.data?.items ?? [])].sort((one, other) => at(other) - at(one)).slice(0, 20);
  }, [newest.data]);
  if (newest.isLoadingError) return <Failure error={newest.error} retry={() => void newest.refetch()} />;
  if (newest.isPending) return <Loading />;
  if (rows.length === 0) return <Empty title="Nothing has happened yet." />;
  return (
    <ol aria-label="Activity" className="max-h-[28rem] overflow-y-auto text-[0.8125rem]">
      {rows.map((one) => (
        <li key={one.id}>
          <Link
            href={`/session/?id=${one.id}`}
            className="flex items-center gap-2 border-b border-line px-3 py-1.5 hover:bg-raised"
          >
            <StatusShape status={one.status} />
            <span className="w-32 shrink-0 truncate text-xs text-muted">{one.status.replaceAll("_", " ")}</span>
            <span className="min-w-0 flex-1 truncate">{one.title}</span>
            <span className="figure text-xs text-muted max-sm:hidden">{one.agent?.name}</span>
            <Ago at={one.status_changed_at} className="w-20 shrink-0 text-right text-xs text-muted" />
          </Link>
        </li>
      ))}
    </ol>
  );
}

function History() {
  const ended = useFirstSessions({ status: ENDS }, 200);
  if (ended.isLoadingError) return <Failure error={ended.error} retry={() => void ended.refetch()} />;
  if (ended.isPending) return <Loading />;
  if (ended.data.items.length === 0) return <Empty title="No session has ended yet." />;
  return <Outcomes sessions={ended.data.items} />;
}

export function Overview() {
  return (
    <div className="mx-auto flex max-w-[120rem] flex-col gap-3">
      <PageHead title="Overview" />
      <Figures />
      <div className="grid items-start gap-3 xl:grid-cols-[minmax(0,3fr)_minmax(20rem,2fr)]">
        <div className="flex min-w-0 flex-col gap-3">
          <Panel title="Success and duration, the last 200 that ended">
            <History />
          </Panel>
          <Panel title="Activity">
            <Activity />
          </Panel>
        </div>
        <Panel title="Needs you" className="max-xl:order-first">
          <NeedsYou />
        </Panel>
      </div>
    </div>
  );
}
