"use client";

import Link from "next/link";
import { EmptyState } from "@/components/content-states";
import { formatWords, shortId } from "@/components/format";
import { LabelChip } from "@/components/page-layout";
import { PagedList } from "@/components/paged-list";
import { useDatasetSessions } from "@/queries/fine-tuning";

/** The sessions of a dataset. They are the last link of a version's lineage. */
export function DatasetSessions({ id }: { id: string }) {
  const sessions = useDatasetSessions(id);
  return (
    <PagedList state={sessions} more="Load more" empty={<EmptyState title="The dataset has no sessions." />}>
      {(items) => (
        <ul className="grid grid-cols-[repeat(auto-fill,minmax(11rem,1fr))] gap-x-4 gap-y-1 p-3 text-[0.8125rem]">
          {items.map((one) => (
            <li key={one.session_id} className="flex items-center gap-2">
              {one.deleted_at ? (
                <span className="figure text-xs text-muted line-through" title={one.session_id}>
                  {shortId(one.session_id)}
                </span>
              ) : (
                <Link
                  href={`/sessions/detail/?id=${one.session_id}`}
                  className="figure text-xs underline underline-offset-2"
                  title={one.session_id}
                >
                  {shortId(one.session_id)}
                </Link>
              )}
              {one.split !== "training" && <LabelChip>{formatWords(one.split)}</LabelChip>}
              {one.deleted_at && <LabelChip>deleted</LabelChip>}
            </li>
          ))}
        </ul>
      )}
    </PagedList>
  );
}
