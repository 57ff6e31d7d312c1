"use client";

import { Plus } from "lucide-react";
import type { Tenant } from "@/api/schema";
import { ActionButton } from "@/components/action-button";
import { EmptyState } from "@/components/content-states";
import { DataTable, HeaderCell, TableCell, TableRow } from "@/components/data-table";
import { formatCompact, formatCount } from "@/components/format";
import type { ListState } from "@/components/load-state";
import { LoadedContent } from "@/components/loaded-content";
import { PageHeader, SectionPanel } from "@/components/page-layout";
import { RelativeTime } from "@/components/relative-time";

interface TenantActions {
  onOpen(tenant: Tenant): void;
  onEdit(tenant: Tenant): void;
  onDeactivate(tenant: Tenant): void;
  onReactivate(tenant: Tenant): void;
}

interface TenantRowProps extends TenantActions {
  tenant: Tenant;
  isCurrent: boolean;
  busy: boolean;
}

function TenantRow({ tenant, isCurrent, busy, ...actions }: TenantRowProps) {
  return (
    <TableRow>
      <TableCell>
        <p className="font-medium">{tenant.name}</p>
        <p className="figure text-2xs text-muted">{tenant.slug}</p>
      </TableCell>
      <TableCell>{tenant.is_active ? "active" : "inactive"}</TableCell>
      <TableCell className="figure text-xs">{formatCount(tenant.max_concurrent_sessions)}</TableCell>
      <TableCell className="figure text-xs">{formatCount(tenant.max_queued_sessions)}</TableCell>
      <TableCell className="figure text-xs">
        {tenant.max_tokens_per_month ? formatCompact(tenant.max_tokens_per_month) : "no limit"}
      </TableCell>
      <TableCell>{tenant.admission}</TableCell>
      <TableCell className="text-xs text-muted">
        <RelativeTime at={tenant.created_at} />
      </TableCell>
      <TableCell className="text-right whitespace-nowrap">
        <span className="inline-flex gap-1.5">
          {!isCurrent && tenant.is_active && (
            <ActionButton small onClick={() => actions.onOpen(tenant)}>
              Switch to it
            </ActionButton>
          )}
          <ActionButton small onClick={() => actions.onEdit(tenant)}>
            Change
          </ActionButton>
          {tenant.is_active ? (
            <ActionButton small look="danger" onClick={() => actions.onDeactivate(tenant)}>
              Deactivate
            </ActionButton>
          ) : (
            <ActionButton small busy={busy} onClick={() => actions.onReactivate(tenant)}>
              Reactivate
            </ActionButton>
          )}
        </span>
      </TableCell>
    </TableRow>
  );
}

const HEADS = ["Name", "State", "Running at once", "Waiting", "Tokens per month", "Admission", "Since", ""];

interface TenantListViewProps extends TenantActions {
  tenants: ListState<Tenant>;
  /** The tenant whose data the page shows. */
  currentId?: string;
  /** The tenant whose change is under way. */
  busyId?: string;
  search: string;
  onSearch(search: string): void;
  onCreate(): void;
}

export function TenantListView(props: TenantListViewProps) {
  const { tenants, currentId, busyId, search, onSearch, onCreate, ...actions } = props;
  return (
    <div className="mx-auto max-w-7xl">
      <PageHeader title="Tenants">
        <input
          type="search"
          aria-label="Find a tenant"
          placeholder="Find a tenant"
          value={search}
          onChange={(event) => onSearch(event.target.value)}
          className="field w-48!"
        />
        <ActionButton look="primary" onClick={onCreate}>
          <Plus aria-hidden className="size-4" /> Create tenant
        </ActionButton>
      </PageHeader>
      <SectionPanel title="All tenants">
        <LoadedContent state={tenants}>
          {({ items }) =>
            items.length === 0 ? (
              <EmptyState title="No tenant matches." />
            ) : (
              <DataTable
                label="Tenants"
                head={HEADS.map((head) => (
                  <HeaderCell key={head}>{head || <span className="sr-only">Actions</span>}</HeaderCell>
                ))}
              >
                {items.map((tenant) => (
                  <TenantRow
                    key={tenant.id}
                    tenant={tenant}
                    isCurrent={tenant.id === currentId}
                    busy={tenant.id === busyId}
                    {...actions}
                  />
                ))}
              </DataTable>
            )
          }
        </LoadedContent>
      </SectionPanel>
    </div>
  );
}
