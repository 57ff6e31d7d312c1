"use client";

import { Building2, Check, ChevronsUpDown } from "lucide-react";
import { useRouter } from "next/navigation";
import { Popover } from "radix-ui";
import { useState } from "react";
import { credential } from "@/api/credential";
import type { Me } from "@/api/schema";
import { cx } from "@/components/class-names";
import { ErrorAlert, LoadingState } from "@/components/content-states";
import { showToast } from "@/components/toast";
import { useTenants } from "@/queries/tenancy";

const LOOK = "flex h-8 max-w-44 items-center gap-1.5 rounded-md border border-line px-2 text-xs";

/** Shows the current tenant. Admins can switch to another one. */
export function TenantSwitcher({ me }: { me: Me }) {
  const [open, setOpen] = useState(false);
  const [q, setQ] = useState("");
  const router = useRouter();
  const admin = me.role === "admin";
  const tenants = useTenants(q, open && admin);
  const now = (
    <>
      <Building2 aria-hidden className="size-3.5 shrink-0 text-muted" />
      <span className="truncate max-sm:max-w-16">{me.tenant.name}</span>
    </>
  );
  if (!admin) {
    return (
      <span title={`Tenant ${me.tenant.slug}`} className={LOOK}>
        {now}
      </span>
    );
  }
  const choose = (slug: string, name: string) => {
    setOpen(false);
    if (slug === me.tenant.slug) return;
    credential.switchTenant(slug);
    // The open page may show an object of the previous tenant.
    router.push("/");
    showToast(`Switched to ${name}.`);
  };
  return (
    <Popover.Root open={open} onOpenChange={setOpen}>
      <Popover.Trigger aria-label={`Tenant: ${me.tenant.name}. Switch`} className={cx(LOOK, "hover:bg-raised")}>
        {now}
        <ChevronsUpDown aria-hidden className="size-3 shrink-0 text-muted" />
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content
          align="end"
          sideOffset={6}
          aria-label="Switch tenant"
          className="panel z-50 w-72 max-w-[calc(100vw-1rem)] overflow-hidden shadow-(--shadow)"
        >
          <div className="border-b border-line p-2">
            <input
              type="search"
              aria-label="Find a tenant"
              placeholder="Find a tenant"
              value={q}
              onChange={(event) => setQ(event.target.value)}
              className="field text-[0.8125rem]"
            />
          </div>
          {tenants.isLoadingError && <ErrorAlert error={tenants.error} compact />}
          {tenants.isPending && <LoadingState rows={3} />}
          <ul className="max-h-72 overflow-y-auto p-1">
            {tenants.data?.items.map((tenant) => (
              <li key={tenant.id}>
                <button
                  type="button"
                  aria-current={tenant.slug === me.tenant.slug || undefined}
                  onClick={() => choose(tenant.slug, tenant.name)}
                  className="flex w-full items-center gap-2 rounded px-2 py-1.5 text-left text-[0.8125rem] hover:bg-raised"
                >
                  <span className="min-w-0 flex-1">
                    <span className="block truncate">{tenant.name}</span>
                    <span className="figure block truncate text-2xs text-muted">
                      {tenant.slug}
                      {!tenant.is_active && " · inactive"}
                    </span>
                  </span>
                  {tenant.slug === me.tenant.slug && <Check aria-hidden className="size-3.5 text-accent" />}
                </button>
              </li>
            ))}
          </ul>
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}
