"use client";

import type { FormEvent } from "react";
import { fieldErrors } from "@/api/problem";
import { isAtLeast } from "@/api/roles";
import { type CreatedApiKey, type NewKey, type Role, roleValues } from "@/api/schema";
import { FormActions, ModalDialog } from "@/components/modal-dialog";
import { SelectField } from "@/components/select-field";
import { TextField } from "@/components/text-field";
import { useAction } from "@/hooks/use-action";
import { tenancyCalls, tenancyKeys } from "@/queries/tenancy";

const DAYS: readonly [string, number][] = [
  ["Never", 0],
  ["In 30 days", 30],
  ["In 90 days", 90],
  ["In a year", 365],
];

export function CreateApiKeyDialog({
  role,
  permissions,
  onCreated,
  onClose,
}: {
  role: Role;
  permissions: readonly string[];
  onCreated(key: CreatedApiKey): void;
  onClose(): void;
}) {
  const create = useAction((body: NewKey) => tenancyCalls.createKey(body), {
    invalidates: [tenancyKeys.keys],
    onSuccess: onCreated,
    showsErrorItself: true,
  });
  const errorOf = fieldErrors(create.error);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const days = Number(form.get("days"));
    create.mutate({
      name: String(form.get("name")).trim(),
      role: form.get("role") as Role,
      scopes: form.getAll("scope").map(String),
      expires_at: days ? new Date(Date.now() + days * 86_400_000).toISOString() : undefined,
    });
  };
  return (
    <ModalDialog open onOpenChange={onClose} title="Create an API key">
      <form onSubmit={submit} className="flex flex-col gap-4">
        <TextField
          label="Name"
          hint="The person or program that uses it."
          error={errorOf("name")}
          name="name"
          required
          maxLength={100}
        />
        <div className="grid grid-cols-2 gap-3">
          <SelectField
            label="Role"
            error={errorOf("role")}
            name="role"
            defaultValue={isAtLeast(role, "member") ? "member" : role}
            options={roleValues.filter((one) => isAtLeast(role, one))}
          />
          <SelectField label="Expires" error={errorOf("expires_at")} name="days" defaultValue="90">
            {DAYS.map(([label, days]) => (
              <option key={days} value={days}>
                {label}
              </option>
            ))}
          </SelectField>
        </div>
        <details>
          <summary className="text-[0.8125rem] text-muted">Restrict to scopes</summary>
          <fieldset className="mt-2 grid grid-cols-2 gap-x-4 text-[0.8125rem]">
            <legend className="sr-only">Scopes; without any, the key has every permission of its role</legend>
            {permissions.map((scope) => (
              <label key={scope} className="figure flex items-center gap-2 py-0.5 text-xs">
                <input type="checkbox" name="scope" value={scope} className="accent-accent" /> {scope}
              </label>
            ))}
          </fieldset>
        </details>
        <FormActions mutation={create} act="Create key" onClose={onClose} />
      </form>
    </ModalDialog>
  );
}
