"use client";

import { EmptyState } from "@/components/content-states";
import { DataTable, HeaderCell, TableCell, TableRow } from "@/components/data-table";
import { ModalDialog } from "@/components/modal-dialog";
import { LabelChip } from "@/components/page-layout";
import { PagedList } from "@/components/paged-list";
import { RelativeTime } from "@/components/relative-time";
import { useAliasHistory } from "@/queries/models";

export function AliasHistoryDialog({ name, alias, onClose }: { name: string; alias: string; onClose(): void }) {
  const history = useAliasHistory(name, alias);
  return (
    <ModalDialog open onOpenChange={onClose} title={`History of ${alias}`} wide>
      <PagedList state={history} empty={<EmptyState title="The alias has never been moved." />}>
        {(items) => (
          <DataTable
            label={`History of ${alias}`}
            head={["", "From", "To", "Who", "When"].map((head) => (
              <HeaderCell key={head}>{head || <span className="sr-only">Verb</span>}</HeaderCell>
            ))}
          >
            {items.map((move) => (
              <TableRow key={move.seq}>
                <TableCell>
                  {move.verb} {move.undone && <LabelChip>undone</LabelChip>}
                </TableCell>
                <TableCell className="figure text-xs">{move.from ?? "–"}</TableCell>
                <TableCell className="figure text-xs">{move.to ?? "–"}</TableCell>
                <TableCell>{move.actor.name}</TableCell>
                <TableCell className="text-xs whitespace-nowrap text-muted">
                  <RelativeTime at={move.at} />
                </TableCell>
              </TableRow>
            ))}
          </DataTable>
        )}
      </PagedList>
    </ModalDialog>
  );
}
