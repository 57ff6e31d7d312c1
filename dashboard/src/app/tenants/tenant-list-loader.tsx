"use client";

import { useDeferredValue, useState } from "react";
import { credential } from "@/api/credential";
import type { Tenant, TenantPatch } from "@/api/schema";
import { ConfirmDialog } from "@/components/confirm-dialog";
import { useAction } from "@/hooks/use-action";
import { tenancyCalls, tenancyKeys, useMe, useTenants } from "@/queries/tenancy";
import { TenantDialog } from "./tenant-dialog";
import { TenantListView } from "./tenant-list-view";

export function TenantListLoader() {
  const [search, setSearch] = useState("");
  const me = useMe();
  const tenants = useTenants(useDeferredValue(search.trim()), true);
  const [editing, setEditing] = useState<Tenant | "new" | null>(null);
  const [deactivating, setDeactivating] = useState<Tenant | null>(null);
  const change = useAction(({ id, ...patch }: TenantPatch & { id: string }) => tenancyCalls.changeTenant(id, patch), {
    invalidates: [tenancyKeys.tenants],
    onSuccess: () => setDeactivating(null),
  });
  return (
    <>
      <TenantListView
        tenants={tenants}
        currentId={me.data?.tenant.id}
        busyId={change.isPending ? change.variables.id : undefined}
        search={search}
        onSearch={setSearch}
        onCreate={() => setEditing("new")}
        onOpen={(tenant) => credential.switchTenant(tenant.slug)}
        onEdit={setEditing}
        onDeactivate={setDeactivating}
        onReactivate={({ id }) => change.mutate({ id, is_active: true })}
      />
      {editing && <TenantDialog tenant={editing === "new" ? null : editing} onClose={() => setEditing(null)} />}
      {deactivating && (
        <ConfirmDialog
          title={`Deactivate ${deactivating.name}?`}
          text="Its callers are refused, and its running sessions pause. When it is reactivated, those sessions resume."
          act="Deactivate"
          danger
          busy={change.isPending}
          onConfirm={() => change.mutate({ id: deactivating.id, is_active: false })}
          onClose={() => setDeactivating(null)}
        />
      )}
    </>
  );
}
