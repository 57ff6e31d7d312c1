"use client";
import { Fragment, useState } from "react";
import type { AuditRecord } from "@/api/schema";
import { ActionButton } from "@/components/action-button";
import { TableCell, TableRow } from "@/components/data-table";
import { formatExactTime, shortId } from "@/components/format";
import { RelativeTime } from "@/components/relative-time";

/** Each changed field with its value before and after the change. */
function changedFields(entry: AuditRecord): [string, string, string][] {
  const before = (entry.before ?? {}) as Record<string, unknown>;
  const after = (entry.after ?? {}) as Record<string, unknown>;
  const text = (value: unknown) =>
    value === undefined ? "–" : typeof value === "string" ? value : JSON.stringify(value);
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return names
    .filter((name) => text(before[name]) !== text(after[name]))
    .map((name) => [name, text(before[name]), text(after[name])]);
}

export function AuditEntryRow({ entry }: { entry: AuditRecord }) {
  const [open, setOpen] = useState(false);
  const differ = changedFields(entry);
  return (
    <Fragment>
      <TableRow>
        <TableCell className="figure text-xs text-muted">{entry.seq}</TableCell>
        <TableCell className="text-xs text-muted">
          <RelativeTime at={entry.at} />
        </TableCell>
        <TableCell className="font-medium whitespace-nowrap">{entry.action}</TableCell>
        <TableCell>
          {entry.actor.name} <span className="text-xs text-muted">{entry.actor.kind}</span>
        </TableCell>
        <TableCell className="text-xs">
          {entry.object_kind.replaceAll("_", " ")}{" "}
          <span className="figure text-muted" title={entry.object_id}>
            {shortId(entry.object_id)}
          </span>
        </TableCell>
        <TableCell className="figure text-xs text-muted">{entry.address ?? "–"}</TableCell>
        <TableCell className="text-right">
          <ActionButton small look="quiet" aria-expanded={open} onClick={() => setOpen(!open)}>
            {open ? "Less" : "More"}
          </ActionButton>
        </TableCell>
      </TableRow>
      {open && (
        <tr className="border-b border-line bg-raised">
          <td colSpan={7} className="px-3 py-2 text-xs">
            <p className="text-muted">
              {formatExactTime(entry.at)} · request <span className="figure">{entry.request_id ?? "–"}</span> · hash{" "}
              <span className="figure break-all">{entry.hash}</span>
            </p>
            {differ.length > 0 && (
              <dl className="figure mt-2 grid grid-cols-[auto_1fr_1fr] gap-x-4 gap-y-1">
                {differ.map(([name, before, after]) => (
                  <Fragment key={name}>
                    <dt className="text-muted">{name}</dt>
                    <dd className="break-all text-danger">{before}</dd>
                    <dd className="break-all text-good">{after}</dd>
                  </Fragment>
                ))}
              </dl>
            )}
          </td>
        </tr>
      )}
    </Fragment>
  );
}
