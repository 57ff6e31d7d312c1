"use client";

import { useVirtualizer } from "@tanstack/react-virtual";
import { useRouter } from "next/navigation";
import { type MouseEvent, useCallback, useEffect, useMemo, useRef, useState } from "react";
import type { Session } from "@/api/schema";
import { cx } from "@/components/class-names";
import { formatCompact, formatUsd, shortId } from "@/components/format";
import { ElapsedTime, RelativeTime } from "@/components/relative-time";
import { useShortcuts } from "@/hooks/use-shortcuts";
import { StatusBadge } from "@/modules/status/status-badge";
import { billedTokens } from "./usage";
import { waitingReason } from "./waiting-reason";

const ROW_HEIGHT = 40;
const COLUMNS =
  "grid grid-cols-[2rem_8.5rem_minmax(10rem,1fr)] md:grid-cols-[2rem_10.5rem_minmax(14rem,1fr)_6rem_8rem_5rem_5rem_5.5rem_6rem] items-center";

interface SessionTableProps {
  sessions: readonly Session[];
  selected: ReadonlySet<string>;
  onSelect(id: string): void;
  onSelectAll(): void;
  more: boolean;
  loading: boolean;
  onLoadMore(): void;
}

interface SessionCellsProps {
  session: Session;
  atCursor: boolean;
  selected: boolean;
  onSelect(): void;
}

function SessionCells({ session, atCursor, selected, onSelect }: SessionCellsProps) {
  return (
    <>
      <div role="cell" className="flex justify-center">
        <input
          type="checkbox"
          aria-label={`Select ${session.title}`}
          checked={selected}
          onChange={onSelect}
          className="size-3.5 accent-accent"
        />
      </div>
      <div role="cell">
        <StatusBadge status={session.status} />
      </div>
      <div role="cell" className="min-w-0 pr-3">
        <a
          href={`/sessions/detail/?id=${session.id}`}
          data-row-link
          tabIndex={atCursor ? 0 : -1}
          className="block truncate font-medium hover:underline"
        >
          {session.title}
        </a>
        <p className="flex gap-2 truncate text-2xs text-muted">
          <span className="figure">{shortId(session.id)}</span>
          {waitingReason(session) && <span className="truncate">{waitingReason(session)}</span>}
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
        {billedTokens(session.usage) > 0 ? formatCompact(billedTokens(session.usage)) : "–"}
      </div>
      <div role="cell" className="figure text-right text-xs max-md:hidden">
        {Number(session.usage.cost_usd) > 0 ? formatUsd(session.usage.cost_usd) : "–"}
      </div>
      <div role="cell" className="pr-3 text-right text-xs text-muted max-md:hidden">
        {session.started_at && !session.ended_at ? (
          <ElapsedTime from={session.started_at} />
        ) : (
          <RelativeTime at={session.ended_at ?? session.created_at} />
        )}
      </div>
    </>
  );
}

/** Moves a cursor through the rows with j and k, and selects the row at the cursor with x. */
function useRowCursor(
  sessions: readonly Session[],
  onSelect: (id: string) => void,
  focusRow: (index: number) => void,
): number {
  const [cursor, setCursor] = useState(0);
  const shortcuts = useMemo(() => {
    const move = (by: number) => {
      const next = Math.max(0, Math.min(sessions.length - 1, cursor + by));
      setCursor(next);
      focusRow(next);
    };
    const current = sessions[cursor];
    return { j: () => move(1), k: () => move(-1), x: () => current && onSelect(current.id) };
  }, [sessions, cursor, onSelect, focusRow]);
  useShortcuts(shortcuts);
  return cursor;
}

/** A list of sessions of any length: only the visible rows are drawn, and the next page loads near the end. */
export function SessionTable(props: SessionTableProps) {
  const { sessions, selected, onSelect, more, loading, onLoadMore } = props;
  const frame = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({
    count: sessions.length + (more ? 1 : 0),
    getScrollElement: () => frame.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 12,
  });
  const visible = rows.getVirtualItems();
  const last = visible.at(-1)?.index ?? 0;

  useEffect(() => {
    if (more && !loading && last >= sessions.length - 20) onLoadMore();
  }, [more, loading, last, sessions.length, onLoadMore]);

  const focusRow = useCallback(
    (index: number) => {
      rows.scrollToIndex(index);
      requestAnimationFrame(() =>
        frame.current?.querySelector<HTMLElement>(`[data-index="${index}"] [data-row-link]`)?.focus(),
      );
    },
    [rows],
  );
  const cursor = useRowCursor(sessions, onSelect, focusRow);

  return (
    <div
      role="table"
      aria-label="Sessions"
      aria-rowcount={more ? -1 : sessions.length + 1}
      className="flex min-h-0 flex-1 flex-col text-[0.8125rem]"
    >
      <SessionTableHead
        allSelected={sessions.length > 0 && selected.size >= sessions.length}
        onSelectAll={props.onSelectAll}
      />
      <div ref={frame} role="rowgroup" tabIndex={0} className="min-h-0 flex-1 overflow-y-auto">
        <div role="presentation" className="relative" style={{ height: rows.getTotalSize() }}>
          {visible.map(({ index, start }) => {
            const session = sessions[index];
            return (
              <SessionRow
                key={session?.id ?? "more"}
                session={session}
                index={index}
                top={start}
                atCursor={index === cursor}
                selected={session !== undefined && selected.has(session.id)}
                onSelect={onSelect}
              />
            );
          })}
        </div>
      </div>
    </div>
  );
}

const COLUMN_HEADS = [
  ["State", undefined],
  ["Session", undefined],
  ["Type", "max-md:hidden"],
  ["Agent", "max-md:hidden"],
  ["Priority", "max-md:hidden"],
  ["Tokens", "text-right max-md:hidden"],
  ["Cost", "text-right max-md:hidden"],
  ["Time", "pr-3 text-right max-md:hidden"],
] as const;

function SessionTableHead({ allSelected, onSelectAll }: { allSelected: boolean; onSelectAll(): void }) {
  return (
    <div role="row" aria-rowindex={1} className={cx(COLUMNS, "label border-b border-line py-2")}>
      <div role="columnheader" className="flex justify-center">
        <input
          type="checkbox"
          aria-label="Select all loaded sessions"
          checked={allSelected}
          onChange={onSelectAll}
          className="size-3.5 accent-accent"
        />
      </div>
      {COLUMN_HEADS.map(([title, className]) => (
        <div key={title} role="columnheader" className={className}>
          {title}
        </div>
      ))}
    </div>
  );
}

interface SessionRowProps {
  /** Absent in the row that stands for sessions that are not loaded yet. */
  session: Session | undefined;
  index: number;
  /** The distance from the top of the list, in pixels. */
  top: number;
  atCursor: boolean;
  selected: boolean;
  onSelect(id: string): void;
}

function SessionRow({ session, index, top, atCursor, selected, onSelect }: SessionRowProps) {
  const router = useRouter();
  const open = (event: MouseEvent<HTMLDivElement>) => {
    if (!session || event.metaKey || event.ctrlKey || (event.target as HTMLElement).closest("input")) return;
    event.preventDefault();
    router.push(`/sessions/detail/?id=${session.id}`);
  };
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the link in the row is what the keyboard opens
    <div
      role="row"
      aria-rowindex={index + 2}
      data-index={index}
      data-session={session?.id}
      className={cx(
        COLUMNS,
        "absolute inset-x-0 cursor-pointer border-b border-line hover:bg-raised",
        selected && "bg-accent-soft",
      )}
      style={{ height: ROW_HEIGHT, transform: `translateY(${top}px)` }}
      onClick={open}
    >
      {session ? (
        <SessionCells session={session} atCursor={atCursor} selected={selected} onSelect={() => onSelect(session.id)} />
      ) : (
        <div role="cell" className="col-span-full px-4 text-muted">
          Loading more …
        </div>
      )}
    </div>
  );
}
