"use client";

import { TriangleAlert } from "lucide-react";
import type { BaseModel } from "@/api/schema";
import { ActionButton } from "@/components/action-button";
import { DataTable, HeaderCell, TableCell, TableRow } from "@/components/data-table";
import { formatCount } from "@/components/format";
import type { PagedState } from "@/components/load-state";
import { SectionPanel } from "@/components/page-layout";
import { PagedList } from "@/components/paged-list";

interface BaseModelPanelProps {
  baseModels: PagedState<BaseModel>;
  /** Absent for callers who may not change base models. */
  onEdit?(base: BaseModel): void;
}

/** The base models that versions were trained from, and when each of them retires. */
export function BaseModelPanel({ baseModels, onEdit }: BaseModelPanelProps) {
  return (
    <SectionPanel title="Base models" className="mt-3">
      <PagedList
        state={baseModels}
        more="Load more"
        empty={<p className="p-3 text-[0.8125rem] text-muted">No version is registered yet.</p>}
      >
        {(items) => (
          <DataTable
            label="Base models"
            head={["Base model", "Versions", "Retires on", "Note", ""].map((head) => (
              <HeaderCell key={head} className={head === "Versions" ? "text-right" : undefined}>
                {head || <span className="sr-only">Actions</span>}
              </HeaderCell>
            ))}
          >
            {items.map((base) => (
              <BaseModelRow key={base.base_model} base={base} onEdit={onEdit} />
            ))}
          </DataTable>
        )}
      </PagedList>
    </SectionPanel>
  );
}

function BaseModelRow({ base, onEdit }: { base: BaseModel; onEdit?(base: BaseModel): void }) {
  return (
    <TableRow>
      <TableCell className="figure text-xs">{base.base_model}</TableCell>
      <TableCell className="figure text-right text-xs">{formatCount(base.versions)}</TableCell>
      <TableCell>
        <span className="figure text-xs">{base.retires_on ?? "–"}</span>
        {base.warnings.map((warning) => (
          <p key={warning} className="flex items-start gap-1.5 text-xs">
            <TriangleAlert aria-hidden className="mt-0.5 size-3.5 shrink-0 text-warning" />
            {warning}
          </p>
        ))}
      </TableCell>
      <TableCell className="max-w-96 text-xs text-muted">{base.note}</TableCell>
      <TableCell className="text-right">
        {onEdit && (
          <ActionButton small aria-label={`Change ${base.base_model}`} onClick={() => onEdit(base)}>
            Change
          </ActionButton>
        )}
      </TableCell>
    </TableRow>
  );
}
