"use client";

import type { FormEvent } from "react";
import type { FieldErrors } from "@/api/problem";
import { fieldErrors } from "@/api/problem";
import { type Admission, admissionValues, type Tenant } from "@/api/schema";
import { FormActions, ModalDialog } from "@/components/modal-dialog";
import { SelectField } from "@/components/select-field";
import { TextField } from "@/components/text-field";
import { useAction } from "@/hooks/use-action";
import { tenancyCalls, tenancyKeys } from "@/queries/tenancy";

const LIMITS = [
  ["max_concurrent_sessions", "Running at once", 10],
  ["max_queued_sessions", "Waiting in the queue", 1000],
  ["max_tokens_per_month", "Tokens per month (0: no limit)", 1_000_000],
] as const;

/** Creates a tenant, or changes one. */
export function TenantDialog({ tenant, onClose }: { tenant: Tenant | null; onClose(): void }) {
  const save = useAction(
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
      invalidates: [tenancyKeys.tenants, tenancyKeys.tenant],
      successMessage: (one) => `${one.name} is saved.`,
      onSuccess: onClose,
      showsErrorItself: true,
    },
  );
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    save.mutate(new FormData(event.currentTarget));
  };
  return (
    <ModalDialog open onOpenChange={onClose} title={tenant ? `Change ${tenant.name}` : "Create a tenant"}>
      <form onSubmit={submit} className="grid gap-4 sm:grid-cols-2">
        <TenantFields tenant={tenant} errorOf={fieldErrors(save.error)} />
        <div className="flex flex-col gap-3 sm:col-span-2">
          <FormActions mutation={save} act="Save" onClose={onClose} />
        </div>
      </form>
    </ModalDialog>
  );
}

function TenantFields({ tenant, errorOf }: { tenant: Tenant | null; errorOf: FieldErrors }) {
  return (
    <>
      <TextField
        label="Name"
        error={errorOf("name")}
        name="name"
        required
        minLength={2}
        maxLength={100}
        defaultValue={tenant?.name}
      />
      <TextField
        label="Slug"
        error={errorOf("slug")}
        mono
        name="slug"
        required
        disabled={tenant !== null}
        pattern="[a-z0-9\-]{2,50}"
        title="Lower-case letters, digits and -"
        defaultValue={tenant?.slug}
      />
      {LIMITS.map(([name, label, usual]) => (
        <TextField
          key={name}
          label={label}
          error={errorOf(name)}
          mono
          name={name}
          type="number"
          min={0}
          required
          defaultValue={tenant?.[name] ?? usual}
        />
      ))}
      <SelectField
        label="Admission when all slots are in use"
        error={errorOf("admission")}
        name="admission"
        defaultValue={tenant?.admission ?? "queue"}
        options={admissionValues}
      />
    </>
  );
}
