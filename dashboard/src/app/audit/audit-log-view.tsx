"use client";

import type { ReactNode } from "react";
import type { AuditRecord } from "@/api/schema";
import { EmptyState } from "@/components/content-states";
import { DataTable, HeaderCell } from "@/components/data-table";
import { formatWords } from "@/components/format";
import type { PagedState } from "@/components/load-state";
import { PageHeader, SectionPanel } from "@/components/page-layout";
import { PagedList } from "@/components/paged-list";
import { AuditEntryRow } from "./audit-entry-row";

const OBJECT_KINDS = [
  "session",
  "agent",
  "agent_token",
  "api_key",
  "user",
  "tenant",
  "audit",
  "training_job",
  "training_provider",
  "dataset",
  "model",
  "experiment",
];

export interface AuditLogFilter {
  readonly action: string;
  readonly kind: string;
}

interface AuditLogViewProps {
  entries: PagedState<AuditRecord>;
  filter: AuditLogFilter;
  onFilter(filter: AuditLogFilter): void;
  chainCheck: ReactNode;
}

export function AuditLogView({ entries, filter, onFilter, chainCheck }: AuditLogViewProps) {
  return (
    <div className="mx-auto max-w-7xl">
      <PageHeader title="Audit log">{chainCheck}</PageHeader>
      <SectionPanel title="Changes" actions={<AuditFilterFields filter={filter} onFilter={onFilter} />}>
        <PagedList state={entries} empty={<EmptyState title="No entry matches." />}>
          {(items) => (
            <DataTable
              label="Audit log"
              head={["Seq", "When", "Action", "Who", "Object", "From", ""].map((head) => (
                <HeaderCell key={head}>{head || <span className="sr-only">Details</span>}</HeaderCell>
              ))}
            >
              {items.map((entry) => (
                <AuditEntryRow key={entry.id} entry={entry} />
              ))}
            </DataTable>
          )}
        </PagedList>
      </SectionPanel>
    </div>
  );
}

function AuditFilterFields({ filter, onFilter }: Pick<AuditLogViewProps, "filter" | "onFilter">) {
  return (
    <>
      <input
        aria-label="Action"
        placeholder="Action, such as session.stop"
        value={filter.action}
        onChange={(event) => onFilter({ ...filter, action: event.target.value })}
        className="field h-7! w-52 text-xs"
      />
      <select
        aria-label="Kind of object"
        value={filter.kind}
        onChange={(event) => onFilter({ ...filter, kind: event.target.value })}
        className="field h-7! w-32 text-xs"
      >
        <option value="">Anything</option>
        {OBJECT_KINDS.map((kind) => (
          <option key={kind} value={kind}>
            {formatWords(kind)}
          </option>
        ))}
      </select>
    </>
  );
}
