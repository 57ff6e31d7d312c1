"use client";

import { useCallback, useDeferredValue, useEffect, useMemo } from "react";
import type { Session } from "@/api/schema";
import { loadedItems } from "@/components/load-state";
import { useQueryState } from "@/hooks/use-query-state";
import { useShortcuts } from "@/hooks/use-shortcuts";
import { useSavedViews } from "@/modules/session/saved-views";
import { type SessionFilter, useSessionStats, useSessions } from "@/queries/sessions";
import { useHasPermission } from "@/queries/tenancy";
import { BulkBar } from "./bulk-bar";
import { SavedViewBar } from "./saved-view-bar";
import { SessionFilters } from "./session-filters";
import { SessionListView } from "./session-list-view";
import { useSelection } from "./use-selection";

const FILTERS = [
  "status",
  "session_type",
  "priority",
  "tag",
  "agent_id",
  "parent_id",
  "created_after",
  "created_before",
  "q",
] as const;

function useSessionFilter(query: URLSearchParams): SessionFilter {
  const text = query.toString();
  return useMemo(() => {
    const parameters = new URLSearchParams(text);
    return Object.fromEntries(FILTERS.flatMap((name) => (parameters.get(name) ? [[name, parameters.get(name)]] : [])));
  }, [text]);
}

/** Removes repeated rows: a session that is created while the list is read moves later rows to the next page. */
function uniqueSessions(sessions: readonly Session[]): Session[] {
  return [...new Map(sessions.map((session) => [session.id, session])).values()];
}

export function SessionListLoader() {
  const [query, setQuery] = useQueryState();
  const filter = useDeferredValue(useSessionFilter(query));
  const sessions = useSessions(filter);
  const stats = useSessionStats();
  const mayWrite = useHasPermission("sessions:write");
  const { views, save, forget } = useSavedViews();
  const { selected, toggle, replace, clear } = useSelection();
  const { data, fetchNextPage, hasNextPage } = sessions;
  const loadMore = useCallback(() => void fetchNextPage(), [fetchNextPage]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the rows change with the data alone
  const rows = useMemo(() => uniqueSessions(loadedItems(sessions)), [data]);
  useShortcuts(useMemo(() => ({ Escape: clear }), [clear]));
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new filter shows other rows, so nothing stays selected
  useEffect(clear, [filter, clear]);

  return (
    <SessionListView
      sessions={sessions}
      rows={rows}
      total={stats.data?.total}
      filtered={Object.keys(filter).length > 0}
      mayCreate={mayWrite}
      selected={selected}
      onSelect={toggle}
      onSelectAll={() => (selected.size >= rows.length ? clear() : replace(rows.map((session) => session.id)))}
      onLoadMore={loadMore}
      views={<SavedViewBar search={query.toString()} views={views} onSave={save} onForget={forget} />}
      filters={<SessionFilters query={query} onChange={setQuery} />}
      bulkBar={
        selected.size > 0 &&
        mayWrite && <BulkBar filter={filter} rows={rows} selected={selected} more={hasNextPage} onClear={clear} />
      }
    />
  );
}
