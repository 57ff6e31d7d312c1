"use client";

import { Plus } from "lucide-react";
import type { ReactNode } from "react";
import type { Session } from "@/api/schema";
import { ButtonLink } from "@/components/button-link";
import { EmptyState } from "@/components/content-states";
import { formatCount } from "@/components/format";
import type { PagedState } from "@/components/load-state";
import { LoadedContent } from "@/components/loaded-content";
import { PageHeader } from "@/components/page-layout";
import { SessionTable } from "@/modules/session/session-table";

interface SessionListViewProps {
  sessions: PagedState<Session>;
  /** The loaded sessions, each of them once. */
  rows: readonly Session[];
  /** How many sessions the tenant has. */
  total?: number;
  /** Whether any filter is set. */
  filtered: boolean;
  mayCreate: boolean;
  selected: ReadonlySet<string>;
  onSelect(id: string): void;
  /** Selects all loaded rows, or none if all of them are selected. */
  onSelectAll(): void;
  onLoadMore(): void;
  views: ReactNode;
  filters: ReactNode;
  bulkBar: ReactNode;
}

export function SessionListView(props: SessionListViewProps) {
  const { sessions, rows, total, filtered, mayCreate, views, filters, bulkBar } = props;
  return (
    <div className="flex h-[calc(100dvh-4.5rem)] min-h-96 flex-col md:h-[calc(100dvh-5.25rem)]">
      <PageHeader
        title="Sessions"
        aside={total !== undefined && <span className="figure">{formatCount(total)} in total</span>}
      >
        {mayCreate && (
          <ButtonLink primary href="/sessions/new/">
            <Plus aria-hidden className="size-4" /> New session
          </ButtonLink>
        )}
      </PageHeader>
      {views}
      {filters}
      <div className="panel relative flex min-h-0 flex-1 flex-col overflow-hidden">
        <LoadedContent state={sessions} rows={12}>
          {() =>
            rows.length === 0 ? (
              <EmptyState title={filtered ? "No session matches." : "There are no sessions yet."}>
                {filtered
                  ? "Change the filters above, or choose the view All."
                  : "Start the first one: give an agent a prompt and watch it work."}
              </EmptyState>
            ) : (
              <SessionTable
                sessions={rows}
                selected={props.selected}
                onSelect={props.onSelect}
                onSelectAll={props.onSelectAll}
                more={sessions.hasNextPage}
                loading={sessions.isFetchingNextPage}
                onLoadMore={props.onLoadMore}
              />
            )
          }
        </LoadedContent>
        {bulkBar}
      </div>
    </div>
  );
}
