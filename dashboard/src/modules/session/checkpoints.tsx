"use client";

import { useRouter } from "next/navigation";
import { useState } from "react";
import { sessionCalls, sessionKeys, useCheckpoints } from "@/api/queries/sessions";
import type { Checkpoint, Session } from "@/api/schema";
import { Button } from "@/components/button";
import { Confirm } from "@/components/confirm";
import { bytes, compact, usd } from "@/components/format";
import { Empty, Failure, Loading } from "@/components/states";
import { Table, Td, Th, Tr } from "@/components/table";
import { Ago } from "@/components/time";
import { useAct } from "@/hooks/use-act";

/** Whether a session can be set back: it waits to run, or it ended and may be brought back. */
function mayRestore(session: Session): boolean {
  return (
    session.status === "pending" ||
    session.status === "queued" ||
    (session.recoverable && session.allowed_transitions.includes("pending"))
  );
}

export function Checkpoints({ session, mayWrite }: { session: Session; mayWrite: boolean }) {
  const router = useRouter();
  const checkpoints = useCheckpoints(session.id);
  const [back, setBack] = useState<Checkpoint | null>(null);
  const restore = useAct((sequence: number) => sessionCalls.restore(session.id, sequence), {
    renews: [sessionKeys.all],
    done: "It is set back. Start it to go on from there.",
    after: () => setBack(null),
  });
  const fork = useAct((sequence: number) => sessionCalls.fork(session.id, sequence), {
    renews: [sessionKeys.all],
    done: (made) => `Forked as ${made.title}.`,
    after: (made) => router.push(`/session/?id=${made.id}`),
  });
  if (checkpoints.isPending) return <Loading />;
  if (checkpoints.isLoadingError) return <Failure error={checkpoints.error} retry={() => void checkpoints.refetch()} />;
  const items = checkpoints.data.items;
  if (items.length === 0) {
    return (
      <Empty title="There is no checkpoint yet.">The first one is taken when the session is handed to its agent.</Empty>
    );
  }
  return (
    <>
      <Table
        label="Checkpoints"
        head={
          <>
            <Th>Number</Th>
            <Th>Taken</Th>
            <Th>Because of</Th>
            <Th className="text-right">Patch</Th>
            <Th className="text-right">Tokens</Th>
            <Th className="text-right">Cost</Th>
            <Th>
              <span className="sr-only">Actions</span>
            </Th>
          </>
        }
      >
        {items.map((one) => (
          <Tr key={one.sequence}>
            <Td className="figure">{one.sequence}</Td>
            <Td>
              <Ago at={one.at} />
            </Td>
            <Td className="max-w-md">
              {one.cause}
              {one.note && <span className="text-muted"> · {one.note}</span>}
              {one.summary && <p className="truncate text-xs text-muted">{one.summary}</p>}
            </Td>
            <Td className="figure text-right text-xs">{bytes(one.patch_bytes)}</Td>
            <Td className="figure text-right text-xs">{compact(one.tokens)}</Td>
            <Td className="figure text-right text-xs">{usd(one.cost_usd)}</Td>
            <Td className="text-right whitespace-nowrap">
              {mayWrite && (
                <span className="inline-flex gap-1.5">
                  {mayRestore(session) && (
                    <Button small onClick={() => setBack(one)}>
                      Restore
                    </Button>
                  )}
                  <Button
                    small
                    busy={fork.isPending && fork.variables === one.sequence}
                    onClick={() => fork.mutate(one.sequence)}
                  >
                    Fork
                  </Button>
                </span>
              )}
            </Td>
          </Tr>
        ))}
      </Table>
      {back && (
        <Confirm
          title={`Restore checkpoint ${back.sequence}?`}
          text="The session goes back to pending and, once started, goes on from there. What it did after this checkpoint stays on record, but not in its files."
          act="Restore"
          busy={restore.isPending}
          onConfirm={() => restore.mutate(back.sequence)}
          onClose={() => setBack(null)}
        />
      )}
    </>
  );
}
