"use client";

import { useMemo } from "react";
import type { FileChange } from "@/api/schema";
import { cx } from "@/components/class-names";
import { EmptyState, ErrorAlert, LoadingState } from "@/components/content-states";
import { useSessionDiff } from "@/queries/sessions";
import { parsePatch } from "./diff";
import { PatchTable } from "./patch-table";

const LETTERS = { added: "A", modified: "M", deleted: "D", renamed: "R" } as const;

function LineCounts({ file }: { file: FileChange }) {
  return (
    <span className="figure text-xs">
      <span className="text-good">+{file.additions}</span> <span className="text-danger">−{file.deletions}</span>
    </span>
  );
}

function FilePatch({ file }: { file: FileChange }) {
  const lines = useMemo(() => parsePatch(file.patch), [file.patch]);
  return (
    <details open id={`file-${file.path}`} className="scroll-mt-16 overflow-hidden rounded-md border border-line">
      <summary className="flex list-none items-center gap-2 bg-raised px-3 py-1.5">
        <span className="figure w-4 text-xs font-semibold" title={file.status}>
          {LETTERS[file.status]}
        </span>
        <span className="figure min-w-0 flex-1 truncate text-[0.8125rem]">{file.path}</span>
        <LineCounts file={file} />
      </summary>
      <div
        tabIndex={0}
        role="region"
        aria-label={`Changes of ${file.path}`}
        className="overflow-x-auto border-t border-line [contain-intrinsic-size:auto_400px] [content-visibility:auto]"
      >
        <PatchTable lines={lines} />
      </div>
    </details>
  );
}

/** The changes of a session, by file. */
export function SessionFiles({ id }: { id: string }) {
  const diff = useSessionDiff(id);
  if (diff.isPending) return <LoadingState />;
  if (diff.isLoadingError) return <ErrorAlert error={diff.error} retry={() => void diff.refetch()} />;
  const files = diff.data.items;
  if (files.length === 0) return <EmptyState title="No file has changed." />;
  return (
    <div className="flex flex-col gap-3 p-3 md:p-4">
      {files.length > 1 && (
        <ul className="grid gap-x-6 text-[0.8125rem] sm:grid-cols-2">
          {files.map((file) => (
            <li key={file.path}>
              <a href={`#file-${file.path}`} className={cx("flex items-center gap-2 py-0.5 hover:underline")}>
                <span className="figure w-4 text-xs">{LETTERS[file.status]}</span>
                <span className="figure min-w-0 flex-1 truncate">{file.path}</span>
                <LineCounts file={file} />
              </a>
            </li>
          ))}
        </ul>
      )}
      {files.map((file) => (
        <FilePatch key={file.path} file={file} />
      ))}
    </div>
  );
}
