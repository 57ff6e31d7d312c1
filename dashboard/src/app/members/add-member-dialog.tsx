"use client";

import type { FormEvent } from "react";
import { fieldErrors } from "@/api/problem";
import type { Role } from "@/api/schema";
import { FormActions, ModalDialog } from "@/components/modal-dialog";
import { SelectField } from "@/components/select-field";
import { TextField } from "@/components/text-field";
import { useAction } from "@/hooks/use-action";
import { tenancyCalls, tenancyKeys } from "@/queries/tenancy";

export function AddMemberDialog({ roles, onClose }: { roles: readonly Role[]; onClose(): void }) {
  const add = useAction(tenancyCalls.createUser, {
    invalidates: [tenancyKeys.users],
    successMessage: (user) => `${user.full_name} is now a member.`,
    onSuccess: onClose,
    showsErrorItself: true,
  });
  const errorOf = fieldErrors(add.error);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    add.mutate({
      email: String(form.get("email")),
      full_name: String(form.get("full_name")),
      role: form.get("role") as Role,
    });
  };
  return (
    <ModalDialog
      open
      onOpenChange={onClose}
      title="Add a member"
      description="Members sign in through a trusted issuer, or with an API key."
    >
      <form onSubmit={submit} className="flex flex-col gap-4">
        <TextField label="Name" error={errorOf("full_name")} name="full_name" required maxLength={200} />
        <TextField label="E-mail" error={errorOf("email")} name="email" type="email" required />
        <SelectField label="Role" error={errorOf("role")} name="role" defaultValue="member" options={roles} />
        <FormActions mutation={add} act="Add" onClose={onClose} />
      </form>
    </ModalDialog>
  );
}
