"use client";

import { useState } from "react";
import type { Enrolment } from "@/api/fleet-types";
import { ActionButton } from "@/components/action-button";
import { ConfirmDialog } from "@/components/confirm-dialog";
import { DataTable, HeaderCell, TableCell, TableRow } from "@/components/data-table";
import type { ListState } from "@/components/load-state";
import { LoadedContent } from "@/components/loaded-content";
import { SectionPanel } from "@/components/page-layout";
import { RelativeTime } from "@/components/relative-time";
import { useAction } from "@/hooks/use-action";
import { runnerCalls, runnerKeys } from "@/queries/runners";

const HEADS = ["Pool", "Uses", "Registered", "Created by", "Expires"];

interface EnrolmentTableProps {
  items: readonly Enrolment[];
  onDelete(enrolment: Enrolment): void;
}

function EnrolmentTable({ items, onDelete }: EnrolmentTableProps) {
  return (
    <DataTable
      label="Enrolments that are still valid"
      head={
        <>
          {HEADS.map((head) => (
            <HeaderCell key={head}>{head}</HeaderCell>
          ))}
          <HeaderCell>
            <span className="sr-only">Actions</span>
          </HeaderCell>
        </>
      }
    >
      {items.map((one) => (
        <TableRow key={one.id}>
          <TableCell className="font-medium">{one.pool}</TableCell>
          <TableCell>{one.uses === "one" ? "one runner" : "any number of runners"}</TableCell>
          <TableCell className="figure text-xs">{one.runners}</TableCell>
          <TableCell className="text-xs text-muted">{one.created_by.name}</TableCell>
          <TableCell className="text-xs text-muted">
            <RelativeTime at={one.expires_at} />
          </TableCell>
          <TableCell className="text-right">
            <ActionButton
              small
              look="danger"
              aria-label={`Delete the enrolment of ${one.pool}`}
              onClick={() => onDelete(one)}
            >
              Delete
            </ActionButton>
          </TableCell>
        </TableRow>
      ))}
    </DataTable>
  );
}

/** The tokens with which runners can still register. Nothing is shown while there are none. */
export function EnrolmentPanelLoader({ enrolments }: { enrolments: ListState<Enrolment> }) {
  const [deleting, setDeleting] = useState<Enrolment | null>(null);
  const remove = useAction((id: string) => runnerCalls.deleteEnrolment(id), {
    invalidates: [runnerKeys.enrolments],
    successMessage: "The enrolment is deleted.",
    onSuccess: () => setDeleting(null),
  });
  if (enrolments.data?.items.length === 0) return null;
  return (
    <SectionPanel title="Open enrolments">
      <LoadedContent state={enrolments} rows={2}>
        {({ items }) => <EnrolmentTable items={items} onDelete={setDeleting} />}
      </LoadedContent>
      {deleting && (
        <ConfirmDialog
          title={`Delete the enrolment of ${deleting.pool}?`}
          text="Its token is refused from now on. Runners that have registered with it stay."
          act="Delete"
          danger
          busy={remove.isPending}
          onConfirm={() => remove.mutate(deleting.id)}
          onClose={() => setDeleting(null)}
        />
      )}
    </SectionPanel>
  );
}
