"use client";

import { useState } from "react";
import type { Session } from "@/api/schema";
import { ActionButton } from "@/components/action-button";
import { formatCount } from "@/components/format";
import { showToast } from "@/components/toast";
import { BulkDialog } from "@/modules/session/bulk-dialog";
import { BULK_LIMIT, type BulkAction, fetchAllSessions } from "@/modules/session/bulk-plan";
import type { SessionFilter } from "@/queries/sessions";

interface BulkBarProps {
  filter: SessionFilter;
  rows: readonly Session[];
  selected: ReadonlySet<string>;
  more: boolean;
  onClear(): void;
}

/** Actions for the selected rows, or for all sessions that match the filter. */
export function BulkBar({ filter, rows, selected, more, onClear }: BulkBarProps) {
  const [all, setAll] = useState<readonly Session[] | null>(null);
  const [counting, setCounting] = useState(false);
  const [verb, setVerb] = useState<BulkAction | null>(null);
  const chosen = all ?? rows.filter((one) => selected.has(one.id));

  const selectAll = async () => {
    setCounting(true);
    try {
      const found = await fetchAllSessions(filter, new AbortController().signal);
      setAll(found.sessions);
      if (found.more)
        showToast(
          `More than ${formatCount(BULK_LIMIT)} sessions match: the newest ${formatCount(BULK_LIMIT)} are selected. Narrow the filter for the others.`,
        );
    } catch (error) {
      showToast(error instanceof Error ? error.message : "The sessions could not be read.", true);
    } finally {
      setCounting(false);
    }
  };

  return (
    <div className="panel absolute inset-x-2 bottom-2 z-10 flex flex-wrap items-center gap-2 px-3 py-2 shadow-(--shadow)">
      <p role="status" className="text-[0.8125rem]">
        <b className="figure">{formatCount(chosen.length)}</b> selected
      </p>
      {more && !all && (
        <ActionButton small look="quiet" busy={counting} onClick={selectAll}>
          Select all that match the filter
        </ActionButton>
      )}
      <div className="ml-auto flex flex-wrap gap-2">
        <ActionButton small look="danger" onClick={() => setVerb("end")}>
          Stop …
        </ActionButton>
        <ActionButton small onClick={() => setVerb("retry")}>
          Retry …
        </ActionButton>
        <ActionButton small onClick={() => setVerb("priority")}>
          Priority …
        </ActionButton>
        <ActionButton small look="quiet" onClick={onClear}>
          Clear
        </ActionButton>
      </div>
      {verb && (
        <BulkDialog
          verb={verb}
          sessions={chosen}
          onClose={() => {
            setVerb(null);
            onClear();
          }}
        />
      )}
    </div>
  );
}
