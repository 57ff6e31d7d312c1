"use client";

import type { FormEvent } from "react";
import { fieldErrors } from "@/api/problem";
import type { BaseModel, NewBaseModel } from "@/api/schema";
import { FormActions, ModalDialog } from "@/components/modal-dialog";
import { TextAreaField, TextField } from "@/components/text-field";
import { useAction } from "@/hooks/use-action";
import { modelCalls, modelKeys } from "@/queries/models";

/** Changes what is known about a base model. */
export function BaseModelDialog({ base, onClose }: { base: BaseModel; onClose(): void }) {
  const save = useAction((body: NewBaseModel) => modelCalls.saveBaseModel(body), {
    invalidates: [modelKeys.all],
    successMessage: "Saved.",
    onSuccess: onClose,
    showsErrorItself: true,
  });
  const errorOf = fieldErrors(save.error);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? "").trim() || null;
    save.mutate({ base_model: base.base_model, retires_on: text("retires_on"), note: text("note") });
  };
  return (
    <ModalDialog
      open
      onOpenChange={onClose}
      title={base.base_model}
      description="From 90 days before this date, every version trained from it shows a warning."
    >
      <form onSubmit={submit} className="flex flex-col gap-4">
        <TextField
          label="Retires on"
          hint="Empty if no date is known."
          error={errorOf("retires_on")}
          mono
          name="retires_on"
          type="date"
          defaultValue={base.retires_on ?? ""}
        />
        <TextAreaField
          label="Note"
          error={errorOf("note")}
          name="note"
          rows={3}
          maxLength={1000}
          defaultValue={base.note ?? ""}
        />
        <FormActions mutation={save} act="Save" onClose={onClose} />
      </form>
    </ModalDialog>
  );
}
