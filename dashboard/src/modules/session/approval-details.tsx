import { type ReactNode, useMemo } from "react";
import { revealHiddenCharacters } from "@/components/hidden-characters";
import { LabelChip } from "@/components/page-layout";
import { type ApprovalDiff, readApprovalRequest } from "./approval-request";
import { PatchTable } from "./patch-table";

/** A part of the request that may be long, and then scrolls. The keyboard reaches it as well. */
function RequestPart({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div
      tabIndex={0}
      role="region"
      aria-label={label}
      className="max-h-72 overflow-auto rounded-md border border-line bg-surface"
    >
      {children}
    </div>
  );
}

function RequestText({ label, text }: { label: string; text: string }) {
  return (
    <RequestPart label={label}>
      <pre className="figure p-2.5 text-xs break-words whitespace-pre-wrap">{revealHiddenCharacters(text)}</pre>
    </RequestPart>
  );
}

function RequestedChange({ diff }: { diff: ApprovalDiff }) {
  const lines = useMemo(
    () => diff.lines.map((line) => ({ ...line, text: revealHiddenCharacters(line.text) })),
    [diff.lines],
  );
  const path = diff.path && revealHiddenCharacters(diff.path);
  return (
    <RequestPart label={path ? `Requested change of ${path}` : "Requested change"}>
      {path && <p className="figure border-b border-line bg-raised px-2.5 py-1 text-xs break-all">{path}</p>}
      <PatchTable lines={lines} />
    </RequestPart>
  );
}

/**
 * What an approval is asked for: the kind of tool, its command, paths and change. Hidden characters are shown, so that a
 * person approves what runs, and not what it looks like.
 */
export function ApprovalDetails({ details }: { details: Readonly<Record<string, unknown>> }) {
  const { kind, title, command, input, paths, diffs, rest } = useMemo(() => readApprovalRequest(details), [details]);
  const shown = diffs.map(({ path }) => path);
  const others = paths.filter((path) => !shown.includes(path));
  return (
    <div className="mt-2 flex flex-col gap-2 text-[0.8125rem]">
      {(kind || title) && (
        <p className="flex flex-wrap items-center gap-2 break-words">
          {kind && <LabelChip>{kind}</LabelChip>}
          {title && title !== command && <span className="min-w-0">{revealHiddenCharacters(title)}</span>}
        </p>
      )}
      {command && <RequestText label="Command" text={command} />}
      {input && <RequestText label="Input" text={input} />}
      {others.length > 0 && (
        <ul aria-label="Paths" className="figure text-xs">
          {others.map((path) => (
            <li key={path} className="break-all">
              {revealHiddenCharacters(path)}
            </li>
          ))}
        </ul>
      )}
      {diffs.map((diff, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the changes of a request never change
        <RequestedChange key={index} diff={diff} />
      ))}
      {rest && (
        <details className="text-xs">
          <summary className="text-muted">Further details</summary>
          <pre className="figure mt-1 max-h-48 overflow-auto whitespace-pre-wrap">{revealHiddenCharacters(rest)}</pre>
        </details>
      )}
    </div>
  );
}
