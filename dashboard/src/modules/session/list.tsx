"use client";

import { useVirtualizer } from "@tanstack/react-virtual";
import { useRouter } from "next/navigation";
import { useEffect, useMemo, useRef, useState } from "react";
import type { Session } from "@/api/schema";
import { cx } from "@/components/class-names";
import { compact, shortId, usd } from "@/components/format";
import { Ago, Lasting } from "@/components/time";
import { useShortcuts } from "@/hooks/use-shortcuts";
import { StatusBadge } from "@/modules/status/badge";
import { tokens } from "./usage";
import { waits } from "./waits";

const ROW = 40;
const COLUMNS =
  "grid grid-cols-[2rem_8.5rem_minmax(10rem,1fr)] md:grid-cols-[2rem_10.5rem_minmax(14rem,1fr)_6rem_8rem_5rem_5rem_5.5rem_6rem] items-center";

interface SessionListProps {
  sessions: readonly Session[];
  selected: ReadonlySet<string>;
  onSelect(id: string): void;
  onSelectShown(): void;
  more: boolean;
  loading: boolean;
  onMore(): void;
}

function Row({
  session,
  here,
  chosen,
  onSelect,
}: {
  session: Session;
  here: boolean;
  chosen: boolean;
  onSelect(): void;
}) {
  return (
    <>
      <div role="cell" className="flex justify-center">
        <input
          type="checkbox"
          aria-label={`Select ${session.title}`}
          checked={chosen}
          onChange={onSelect}
          className="size-3.5 accent-accent"
        />
      </div>
      <div role="cell">
        <StatusBadge status={session.status} />
      </div>
      <div role="cell" className="min-w-0 pr-3">
        <a
          href={`/session/?id=${session.id}`}
          data-row-link
          tabIndex={here ? 0 : -1}
          className="block truncate font-medium hover:underline"
        >
          {session.title}
        </a>
        <p className="flex gap-2 truncate text-2xs text-muted">
          <span className="figure">{shortId(session.id)}</span>
          {waits(session) && <span className="truncate">{waits(session)}</span>}
          {session.tags.slice(0, 3).map((tag) => (
            <span key={tag}>#{tag}</span>
          ))}
        </p>
      </div>
      <div role="cell" className="text-muted max-md:hidden">
        {session.session_type}
      </div>
      <div role="cell" className="truncate pr-2 text-muted max-md:hidden">
        {session.agent?.name ?? "–"}
      </div>
      <div role="cell" className="text-muted max-md:hidden">
        {session.priority}
      </div>
      <div role="cell" className="figure text-right text-xs max-md:hidden" title="Tokens">
        {tokens(session.usage) > 0 ? compact(tokens(session.usage)) : "–"}
      </div>
      <div role="cell" className="figure text-right text-xs max-md:hidden">
        {Number(session.usage.cost_usd) > 0 ? usd(session.usage.cost_usd) : "–"}
      </div>
      <div role="cell" className="pr-3 text-right text-xs text-muted max-md:hidden">
        {session.started_at && !session.ended_at ? (
          <Lasting from={session.started_at} />
        ) : (
          <Ago at={session.ended_at ?? session.created_at} />
        )}
      </div>
    </>
  );
}

/** All sessions of a filter: only the rows in sight are drawn, and pages come as one gets near their end. */
export function SessionList(props: SessionListProps) {
  const { sessions, selected, onSelect, more, loading, onMore } = props;
  const router = useRouter();
  const frame = useRef<HTMLDivElement>(null);
  const [at, setAt] = useState(0);
  const rows = useVirtualizer({
    count: sessions.length + (more ? 1 : 0),
    getScrollElement: () => frame.current,
    estimateSize: () => ROW,
    overscan: 12,
  });
  const shown = rows.getVirtualItems();
  const last = shown.at(-1)?.index ?? 0;

  useEffect(() => {
    if (more && !loading && last >= sessions.length - 20) onMore();
  }, [more, loading, last, sessions.length, onMore]);

  const shortcuts = useMemo(() => {
    const move = (by: number) => {
      const next = Math.max(0, Math.min(sessions.length - 1, at + by));
      setAt(next);
      rows.scrollToIndex(next);
      requestAnimationFrame(() =>
        frame.current?.querySelector<HTMLElement>(`[data-index="${next}"] [data-row-link]`)?.focus(),
      );
    };
    const here = sessions[at];
    return {
      j: () => move(1),
      k: () => move(-1),
      x: () => here && onSelect(here.id),
    };
  }, [sessions, at, rows, onSelect]);
  useShortcuts(shortcuts);

  return (
    <div
      role="table"
      aria-label="Sessions"
      aria-rowcount={more ? -1 : sessions.length + 1}
      className="flex min-h-0 flex-1 flex-col text-[0.8125rem]"
    >
      <div role="row" aria-rowindex={1} className={cx(COLUMNS, "label border-b border-line py-2")}>
        <div role="columnheader" className="flex justify-center">
          <input
            type="checkbox"
            aria-label="Select all that are loaded"
            checked={sessions.length > 0 && selected.size >= sessions.length}
            onChange={props.onSelectShown}
            className="size-3.5 accent-accent"
          />
        </div>
        <div role="columnheader">State</div>
        <div role="columnheader">Session</div>
        <div role="columnheader" className="max-md:hidden">
          Type
        </div>
        <div role="columnheader" className="max-md:hidden">
          Agent
        </div>
        <div role="columnheader" className="max-md:hidden">
          Priority
        </div>
        <div role="columnheader" className="text-right max-md:hidden">
          Tokens
        </div>
        <div role="columnheader" className="text-right max-md:hidden">
          Cost
        </div>
        <div role="columnheader" className="pr-3 text-right max-md:hidden">
          Time
        </div>
      </div>
      <div ref={frame} role="rowgroup" tabIndex={0} className="min-h-0 flex-1 overflow-y-auto">
        <div role="presentation" className="relative" style={{ height: rows.getTotalSize() }}>
          {shown.map((row) => {
            const session = sessions[row.index];
            const chosen = session ? selected.has(session.id) : false;
            return (
              // biome-ignore lint/a11y/useKeyWithClickEvents: the link in the row is what the keyboard opens
              <div
                key={session?.id ?? "more"}
                role="row"
                aria-rowindex={row.index + 2}
                data-index={row.index}
                data-session={session?.id}
                className={cx(
                  COLUMNS,
                  "absolute inset-x-0 cursor-pointer border-b border-line hover:bg-raised",
                  chosen && "bg-accent-soft",
                )}
                style={{ height: ROW, transform: `translateY(${row.start}px)` }}
                onClick={(event) => {
                  if (!session || event.metaKey || event.ctrlKey || (event.target as HTMLElement).closest("input"))
                    return;
                  event.preventDefault();
                  router.push(`/session/?id=${session.id}`);
                }}
              >
                {session ? (
                  <Row
                    session={session}
                    here={row.index === at}
                    chosen={chosen}
                    onSelect={() => onSelect(session.id)}
                  />
                ) : (
                  <div role="cell" className="col-span-full px-4 text-muted">
                    Loading more …
                  </div>
                )}
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}
