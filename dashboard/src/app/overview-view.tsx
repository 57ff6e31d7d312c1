import Link from "next/link";
import type { AgentStats, Quota, Session, Stats } from "@/api/schema";
import { EmptyState, ErrorAlert } from "@/components/content-states";
import { formatWords } from "@/components/format";
import type { ListState, LoadState } from "@/components/load-state";
import { LoadedContent } from "@/components/loaded-content";
import { PageHeader, SectionPanel } from "@/components/page-layout";
import { RelativeTime } from "@/components/relative-time";
import { OutcomeChart } from "@/modules/session/outcome-chart";
import { waitingReason } from "@/modules/session/waiting-reason";
import { StatusBadge, StatusShape } from "@/modules/status/status-badge";
import { OverviewFigures } from "./overview-figures";

interface OverviewViewProps {
  stats: LoadState<Stats>;
  agents?: AgentStats;
  monthQuota?: Quota;
  /** Sessions that need a person, most urgent first. */
  attention: LoadState<readonly Session[]>;
  /** The sessions whose state changed last. */
  activity: LoadState<readonly Session[]>;
  ended: ListState<Session>;
}

export function OverviewView({ stats, agents, monthQuota, attention, activity, ended }: OverviewViewProps) {
  return (
    <div className="mx-auto flex max-w-[120rem] flex-col gap-3">
      <PageHeader title="Overview" />
      {stats.data || stats.isPending ? (
        <OverviewFigures stats={stats.data} agents={agents} monthQuota={monthQuota} />
      ) : (
        <ErrorAlert error={stats.error} retry={() => void stats.refetch()} />
      )}
      <div className="grid items-start gap-3 xl:grid-cols-[minmax(0,3fr)_minmax(20rem,2fr)]">
        <div className="flex min-w-0 flex-col gap-3">
          <SectionPanel title="Success and duration of the last 200 sessions">
            <LoadedContent state={ended}>
              {({ items }) =>
                items.length === 0 ? (
                  <EmptyState title="No session has ended yet." />
                ) : (
                  <OutcomeChart sessions={items} />
                )
              }
            </LoadedContent>
          </SectionPanel>
          <SectionPanel title="Activity">
            <LoadedContent state={activity}>{(sessions) => <ActivityFeed sessions={sessions} />}</LoadedContent>
          </SectionPanel>
        </div>
        <SectionPanel title="Needs attention" className="max-xl:order-first">
          <LoadedContent state={attention} rows={4}>
            {(sessions) => <AttentionList sessions={sessions} />}
          </LoadedContent>
        </SectionPanel>
      </div>
    </div>
  );
}

function AttentionList({ sessions }: { sessions: readonly Session[] }) {
  if (sessions.length === 0) return <EmptyState title="Nothing needs your attention." />;
  return (
    <ul className="max-h-96 overflow-y-auto">
      {sessions.map((session) => (
        <li key={session.id} className="border-b border-line last:border-0">
          <Link
            href={`/sessions/detail/?id=${session.id}`}
            className="block px-3 py-2 text-[0.8125rem] hover:bg-raised"
          >
            <span className="flex items-center gap-2">
              <StatusBadge status={session.status} />
              <span className="min-w-0 flex-1 truncate font-medium">{session.title}</span>
              <RelativeTime at={session.status_changed_at} className="shrink-0 text-xs text-muted" />
            </span>
            <span className="mt-0.5 block truncate text-xs text-muted">
              {session.pause?.question?.text ?? session.outcome?.error?.message ?? waitingReason(session)}
            </span>
          </Link>
        </li>
      ))}
    </ul>
  );
}

function ActivityFeed({ sessions }: { sessions: readonly Session[] }) {
  if (sessions.length === 0) return <EmptyState title="Nothing has happened yet." />;
  return (
    <ol aria-label="Activity" className="max-h-[28rem] overflow-y-auto text-[0.8125rem]">
      {sessions.map((session) => (
        <li key={session.id}>
          <Link
            href={`/sessions/detail/?id=${session.id}`}
            className="flex items-center gap-2 border-b border-line px-3 py-1.5 hover:bg-raised"
          >
            <StatusShape status={session.status} />
            <span className="w-32 shrink-0 truncate text-xs text-muted">{formatWords(session.status)}</span>
            <span className="min-w-0 flex-1 truncate">{session.title}</span>
            <span className="figure text-xs text-muted max-sm:hidden">{session.agent?.name}</span>
            <RelativeTime at={session.status_changed_at} className="w-20 shrink-0 text-right text-xs text-muted" />
          </Link>
        </li>
      ))}
    </ol>
  );
}
