"use client";

import { useState } from "react";
import type { SessionFilter } from "@/api/queries/sessions";
import type { Session } from "@/api/schema";
import { Button } from "@/components/button";
import { count } from "@/components/format";
import { toast } from "@/components/toast";
import { type BulkVerb, everyOne, MOST } from "@/modules/session/bulk";
import { BulkDialog } from "@/modules/session/bulk-dialog";

interface BulkBarProps {
  filter: SessionFilter;
  rows: readonly Session[];
  selected: ReadonlySet<string>;
  more: boolean;
  onNone(): void;
}

/** What can be done with the selected rows, or with all that fit the filter. */
export function BulkBar({ filter, rows, selected, more, onNone }: BulkBarProps) {
  const [all, setAll] = useState<readonly Session[] | null>(null);
  const [counting, setCounting] = useState(false);
  const [verb, setVerb] = useState<BulkVerb | null>(null);
  const taken = all ?? rows.filter((one) => selected.has(one.id));

  const takeAll = async () => {
    setCounting(true);
    try {
      const found = await everyOne(filter, new AbortController().signal);
      setAll(found.sessions);
      if (found.more)
        toast(
          `More than ${count(MOST)} fit: only the newest ${count(MOST)} are taken. Narrow the filter for the others.`,
        );
    } catch (error) {
      toast(error instanceof Error ? error.message : "They could not be counted.", true);
    } finally {
      setCounting(false);
    }
  };

  return (
    <div className="panel absolute inset-x-2 bottom-2 z-10 flex flex-wrap items-center gap-2 px-3 py-2 shadow-(--shadow)">
      <p role="status" className="text-[0.8125rem]">
        <b className="figure">{count(taken.length)}</b> selected
      </p>
      {more && !all && (
        <Button small look="quiet" busy={counting} onClick={takeAll}>
          Take all that fit the filter
        </Button>
      )}
      <div className="ml-auto flex flex-wrap gap-2">
        <Button small look="danger" onClick={() => setVerb("end")}>
          Stop …
        </Button>
        <Button small onClick={() => setVerb("retry")}>
          Retry …
        </Button>
        <Button small onClick={() => setVerb("priority")}>
          Priority …
        </Button>
        <Button small look="quiet" onClick={onNone}>
          None
        </Button>
      </div>
      {verb && (
        <BulkDialog
          verb={verb}
          sessions={taken}
          onClose={() => {
            setVerb(null);
            onNone();
          }}
        />
      )}
    </div>
  );
}
