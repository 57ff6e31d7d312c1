"use client";

import { Plus } from "lucide-react";
import { type FormEvent, useDeferredValue, useState } from "react";
import { credential } from "@/api/credential";
import { Refused } from "@/api/problem";
import { tenancyCalls, tenancyKeys, useMe, useTenants } from "@/api/queries/tenancy";
import { type Admission, admissionValues, type Tenant, type TenantPatch } from "@/api/schema";
import { Button } from "@/components/button";
import { Confirm } from "@/components/confirm";
import { Dialog, FormEnd } from "@/components/dialog";
import { Field } from "@/components/field";
import { compact, count } from "@/components/format";
import { PageHead, Panel } from "@/components/page";
import { Select } from "@/components/select";
import { Empty, Failure, Loading } from "@/components/states";
import { Table, Td, Th, Tr } from "@/components/table";
import { Ago } from "@/components/time";
import { useAct } from "@/hooks/use-act";

const LIMITS = [
  ["max_concurrent_sessions", "Running at once", 10],
  ["max_queued_sessions", "Waiting at most", 1000],
  ["max_tokens_per_month", "Tokens a month (0: no limit)", 1_000_000],
] as const;

/** Makes a tenant, or changes one. */
function Edit({ tenant, onClose }: { tenant: Tenant | null; onClose(): void }) {
  const save = useAct(
    (form: FormData) => {
      const limits = Object.fromEntries(LIMITS.map(([name]) => [name, Number(form.get(name))])) as Record<
        (typeof LIMITS)[number][0],
        number
      >;
      const body = { ...limits, name: String(form.get("name")).trim(), admission: form.get("admission") as Admission };
      return tenant
        ? tenancyCalls.changeTenant(tenant.id, body)
        : tenancyCalls.createTenant({ ...body, slug: String(form.get("slug")).trim() });
    },
    {
      renews: [tenancyKeys.tenants, tenancyKeys.tenant],
      done: (one) => `${one.name} is saved.`,
      after: onClose,
      quiet: true,
    },
  );
  const error = save.error instanceof Refused ? save.error : null;
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    save.mutate(new FormData(event.currentTarget));
  };
  return (
    <Dialog open onOpenChange={onClose} title={tenant ? `Change ${tenant.name}` : "Make a tenant"}>
      <form onSubmit={submit} className="grid gap-4 sm:grid-cols-2">
        <Field label="Name" error={error?.field("name")}>
          {(props) => (
            <input
              {...props}
              name="name"
              required
              minLength={2}
              maxLength={100}
              defaultValue={tenant?.name}
              className="field"
            />
          )}
        </Field>
        <Field label="Slug" error={error?.field("slug")}>
          {(props) => (
            <input
              {...props}
              name="slug"
              required
              disabled={tenant !== null}
              pattern="[a-z0-9\-]{2,50}"
              title="Small letters, figures and -"
              defaultValue={tenant?.slug}
              className="field figure"
            />
          )}
        </Field>
        {LIMITS.map(([name, label, usual]) => (
          <Field key={name} label={label} error={error?.field(name)}>
            {(props) => (
              <input
                {...props}
                name={name}
                type="number"
                min={0}
                required
                defaultValue={tenant?.[name] ?? usual}
                className="field figure"
              />
            )}
          </Field>
        ))}
        <Field label="Beyond the slots" error={error?.field("admission")}>
          {(props) => (
            <Select {...props} name="admission" defaultValue={tenant?.admission ?? "queue"}>
              {admissionValues.map((one) => (
                <option key={one}>{one}</option>
              ))}
            </Select>
          )}
        </Field>
        <div className="flex flex-col gap-3 sm:col-span-2">
          <FormEnd mutation={save} act="Save" onClose={onClose} />
        </div>
      </form>
    </Dialog>
  );
}

export function Tenants() {
  const [q, setQ] = useState("");
  const me = useMe();
  const tenants = useTenants(useDeferredValue(q.trim()), true);
  const [editing, setEditing] = useState<Tenant | "new" | null>(null);
  const [turning, setTurning] = useState<Tenant | null>(null);
  const turn = useAct(({ id, ...patch }: TenantPatch & { id: string }) => tenancyCalls.changeTenant(id, patch), {
    renews: [tenancyKeys.tenants],
    after: () => setTurning(null),
  });
  return (
    <div className="mx-auto max-w-7xl">
      <PageHead title="Tenants">
        <input
          type="search"
          aria-label="Find a tenant"
          placeholder="Find a tenant"
          value={q}
          onChange={(event) => setQ(event.target.value)}
          className="field w-48!"
        />
        <Button look="primary" onClick={() => setEditing("new")}>
          <Plus aria-hidden className="size-4" /> Make tenant
        </Button>
      </PageHead>
      <Panel title="All tenants">
        {tenants.isPending ? (
          <Loading />
        ) : tenants.isLoadingError ? (
          <Failure error={tenants.error} retry={() => void tenants.refetch()} />
        ) : tenants.data.items.length === 0 ? (
          <Empty title="No tenant fits." />
        ) : (
          <Table
            label="Tenants"
            head={["Name", "State", "Running at once", "Waiting", "Tokens a month", "Admission", "Since", ""].map(
              (head) => <Th key={head}>{head || <span className="sr-only">Actions</span>}</Th>,
            )}
          >
            {tenants.data.items.map((tenant) => (
              <Tr key={tenant.id}>
                <Td>
                  <p className="font-medium">{tenant.name}</p>
                  <p className="figure text-2xs text-muted">{tenant.slug}</p>
                </Td>
                <Td>{tenant.is_active ? "active" : "inactive"}</Td>
                <Td className="figure text-xs">{count(tenant.max_concurrent_sessions)}</Td>
                <Td className="figure text-xs">{count(tenant.max_queued_sessions)}</Td>
                <Td className="figure text-xs">
                  {tenant.max_tokens_per_month ? compact(tenant.max_tokens_per_month) : "no limit"}
                </Td>
                <Td>{tenant.admission}</Td>
                <Td className="text-xs text-muted">
                  <Ago at={tenant.created_at} />
                </Td>
                <Td className="text-right whitespace-nowrap">
                  <span className="inline-flex gap-1.5">
                    {tenant.id !== me.data?.tenant.id && tenant.is_active && (
                      <Button small onClick={() => credential.switchTenant(tenant.slug)}>
                        Look at it
                      </Button>
                    )}
                    <Button small onClick={() => setEditing(tenant)}>
                      Change
                    </Button>
                    {tenant.is_active ? (
                      <Button small look="danger" onClick={() => setTurning(tenant)}>
                        Deactivate
                      </Button>
                    ) : (
                      <Button
                        small
                        busy={turn.isPending}
                        onClick={() => turn.mutate({ id: tenant.id, is_active: true })}
                      >
                        Reactivate
                      </Button>
                    )}
                  </span>
                </Td>
              </Tr>
            ))}
          </Table>
        )}
      </Panel>
      {editing && <Edit tenant={editing === "new" ? null : editing} onClose={() => setEditing(null)} />}
      {turning && (
        <Confirm
          title={`Deactivate ${turning.name}?`}
          text="Nobody of it can call any more, and its running sessions pause. Reactivated, exactly those go on."
          act="Deactivate"
          danger
          busy={turn.isPending}
          onConfirm={() => turn.mutate({ id: turning.id, is_active: false })}
          onClose={() => setTurning(null)}
        />
      )}
    </div>
  );
}
