"use client";

import { useRouter } from "next/navigation";
import type { ReactNode } from "react";
import { useState } from "react";
import type { Checkpoint, Session } from "@/api/schema";
import { ActionButton } from "@/components/action-button";
import { ConfirmDialog } from "@/components/confirm-dialog";
import { EmptyState } from "@/components/content-states";
import { DataTable, HeaderCell, TableCell, TableRow } from "@/components/data-table";
import { formatBytes, formatCompact, formatUsd } from "@/components/format";
import { LoadedContent } from "@/components/loaded-content";
import { RelativeTime } from "@/components/relative-time";
import { useAction } from "@/hooks/use-action";
import { sessionCalls, sessionKeys, useCheckpoints } from "@/queries/sessions";

/** Whether a checkpoint can be restored: the session waits to run, or it ended and can be recovered. */
function isRestorable(session: Session): boolean {
  return (
    session.status === "pending" ||
    session.status === "queued" ||
    (session.recoverable && session.allowed_transitions.includes("pending"))
  );
}

const HEADS = ["Number", "Taken", "Cause", "Patch", "Tokens", "Cost", ""];
const RIGHT = new Set(["Patch", "Tokens", "Cost"]);

export function CheckpointTable({ session, mayWrite }: { session: Session; mayWrite: boolean }) {
  const router = useRouter();
  const checkpoints = useCheckpoints(session.id);
  const [restoring, setRestoring] = useState<Checkpoint | null>(null);
  const fork = useAction((sequence: number) => sessionCalls.fork(session.id, sequence), {
    invalidates: [sessionKeys.all],
    successMessage: (fork) => `Forked as ${fork.title}.`,
    onSuccess: (fork) => router.push(`/sessions/detail/?id=${fork.id}`),
  });
  const actions = (checkpoint: Checkpoint) => (
    <span className="inline-flex gap-1.5">
      {isRestorable(session) && (
        <ActionButton small onClick={() => setRestoring(checkpoint)}>
          Restore
        </ActionButton>
      )}
      <ActionButton
        small
        busy={fork.isPending && fork.variables === checkpoint.sequence}
        onClick={() => fork.mutate(checkpoint.sequence)}
      >
        Fork
      </ActionButton>
    </span>
  );
  return (
    <LoadedContent state={checkpoints}>
      {({ items }) =>
        items.length === 0 ? (
          <EmptyState title="There is no checkpoint yet.">
            The first one is taken when the session is assigned to its agent.
          </EmptyState>
        ) : (
          <>
            <DataTable
              label="Checkpoints"
              head={HEADS.map((head) => (
                <HeaderCell key={head} className={RIGHT.has(head) ? "text-right" : undefined}>
                  {head || <span className="sr-only">Actions</span>}
                </HeaderCell>
              ))}
            >
              {items.map((checkpoint) => (
                <CheckpointRow
                  key={checkpoint.sequence}
                  checkpoint={checkpoint}
                  actions={mayWrite && actions(checkpoint)}
                />
              ))}
            </DataTable>
            {restoring && <RestoreDialog id={session.id} checkpoint={restoring} onClose={() => setRestoring(null)} />}
          </>
        )
      }
    </LoadedContent>
  );
}

function CheckpointRow({ checkpoint, actions }: { checkpoint: Checkpoint; actions: ReactNode }) {
  return (
    <TableRow>
      <TableCell className="figure">{checkpoint.sequence}</TableCell>
      <TableCell>
        <RelativeTime at={checkpoint.at} />
      </TableCell>
      <TableCell className="max-w-md">
        {checkpoint.cause}
        {checkpoint.note && <span className="text-muted"> · {checkpoint.note}</span>}
        {checkpoint.summary && <p className="truncate text-xs text-muted">{checkpoint.summary}</p>}
      </TableCell>
      <TableCell className="figure text-right text-xs">{formatBytes(checkpoint.patch_bytes)}</TableCell>
      <TableCell className="figure text-right text-xs">{formatCompact(checkpoint.tokens)}</TableCell>
      <TableCell className="figure text-right text-xs">{formatUsd(checkpoint.cost_usd)}</TableCell>
      <TableCell className="text-right whitespace-nowrap">{actions}</TableCell>
    </TableRow>
  );
}

function RestoreDialog({ id, checkpoint, onClose }: { id: string; checkpoint: Checkpoint; onClose(): void }) {
  const restore = useAction(() => sessionCalls.restore(id, checkpoint.sequence), {
    invalidates: [sessionKeys.all],
    successMessage: "The checkpoint is restored. Start the session to continue from there.",
    onSuccess: onClose,
  });
  return (
    <ConfirmDialog
      title={`Restore checkpoint ${checkpoint.sequence}?`}
      text="The session returns to pending and continues from this checkpoint when it is started. Later work stays in its log, but not in its files."
      act="Restore"
      busy={restore.isPending}
      onConfirm={() => restore.mutate(undefined)}
      onClose={onClose}
    />
  );
}
