"use client";

import Link from "next/link";
import { useDatasetSessions } from "@/api/queries/training";
import { shortId, words } from "@/components/format";
import { Listed } from "@/components/listed";
import { Chip } from "@/components/page";
import { Empty } from "@/components/states";

/** Which sessions a dataset is made of: the end of a version's lineage. */
export function DatasetSessions({ id }: { id: string }) {
  const sessions = useDatasetSessions(id);
  return (
    <Listed query={sessions} more="More of them" empty={<Empty title="It holds no session." />}>
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
                  href={`/session/?id=${one.session_id}`}
                  className="figure text-xs underline underline-offset-2"
                  title={one.session_id}
                >
                  {shortId(one.session_id)}
                </Link>
              )}
              {one.split !== "training" && <Chip>{words(one.split)}</Chip>}
              {one.deleted_at && <Chip>deleted</Chip>}
            </li>
          ))}
        </ul>
      )}
    </Listed>
  );
}
