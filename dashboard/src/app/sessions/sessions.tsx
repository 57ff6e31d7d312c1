"use client";

import { Plus } from "lucide-react";
import Link from "next/link";
import { useCallback, useDeferredValue, useEffect, useMemo, useState } from "react";
import { type SessionFilter, useSessionStats, useSessions } from "@/api/queries/sessions";
import { useMay } from "@/api/queries/tenancy";
import type { Session } from "@/api/schema";
import { count } from "@/components/format";
import { PageHead } from "@/components/page";
import { Empty, Failure, Loading } from "@/components/states";
import { useQueryState } from "@/hooks/use-query-state";
import { useShortcuts } from "@/hooks/use-shortcuts";
import { SessionList } from "@/modules/session/list";
import { BulkBar } from "./bulk-bar";
import { Filters } from "./filters";
import { Views } from "./views";

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

function useFilter(): SessionFilter {
  const [search] = useQueryState();
  const text = search.toString();
  return useMemo(() => {
    const given = new URLSearchParams(text);
    return Object.fromEntries(FILTERS.flatMap((name) => (given.get(name) ? [[name, given.get(name)]] : [])));
  }, [text]);
}

export function Sessions() {
  const filter = useDeferredValue(useFilter());
  const sessions = useSessions(filter);
  const stats = useSessionStats();
  const mayWrite = useMay("sessions:write");
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const { fetchNextPage, hasNextPage, isFetchingNextPage } = sessions;
  const more = useCallback(() => void fetchNextPage(), [fetchNextPage]);
  const rows = useMemo(() => {
    const unique = new Map<string, Session>();
    for (const page of sessions.data?.pages ?? []) for (const one of page.items) unique.set(one.id, one);
    return [...unique.values()];
  }, [sessions.data]);

  const select = useCallback((id: string) => {
    setSelected((old) => {
      const next = new Set(old);
      if (!next.delete(id)) next.add(id);
      return next;
    });
  }, []);
  const none = useCallback(() => setSelected(new Set()), []);
  const shown = () => (selected.size >= rows.length ? none() : setSelected(new Set(rows.map((one) => one.id))));
  useShortcuts(useMemo(() => ({ Escape: none }), [none]));
  // biome-ignore lint/correctness/useExhaustiveDependencies: another filter shows other rows: what was selected goes
  useEffect(none, [filter, none]);

  const filtered = Object.keys(filter).length > 0;
  return (
    <div className="flex h-[calc(100dvh-4.5rem)] min-h-96 flex-col md:h-[calc(100dvh-5.25rem)]">
      <PageHead title="Sessions" aside={stats.data && <span className="figure">{count(stats.data.total)} in all</span>}>
        {mayWrite && (
          <Link
            href="/sessions/new/"
            className="inline-flex h-8 items-center gap-1.5 rounded-md bg-accent px-3 text-[0.8125rem] font-medium text-accent-text hover:brightness-110"
          >
            <Plus aria-hidden className="size-4" /> New session
          </Link>
        )}
      </PageHead>
      <Views />
      <Filters />
      <div className="panel relative flex min-h-0 flex-1 flex-col overflow-hidden">
        {sessions.isPending ? (
          <Loading rows={12} />
        ) : sessions.isLoadingError && rows.length === 0 ? (
          <Failure error={sessions.error} retry={() => void sessions.refetch()} />
        ) : rows.length === 0 ? (
          <Empty title={filtered ? "No session fits." : "There are no sessions yet."}>
            {filtered
              ? "Loosen the filters above, or choose the view All."
              : "Start the first one: give an agent a prompt and watch it work."}
          </Empty>
        ) : (
          <SessionList
            sessions={rows}
            selected={selected}
            onSelect={select}
            onSelectShown={shown}
            more={hasNextPage}
            loading={isFetchingNextPage}
            onMore={more}
          />
        )}
        {selected.size > 0 && mayWrite && (
          <BulkBar filter={filter} rows={rows} selected={selected} more={hasNextPage} onNone={none} />
        )}
      </div>
    </div>
  );
}
