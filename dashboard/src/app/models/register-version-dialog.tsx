"use client";

import { useRouter } from "next/navigation";
import type { FormEvent } from "react";
import { fieldErrors } from "@/api/problem";
import type { NewModelVersion } from "@/api/schema";
import { FormActions, ModalDialog } from "@/components/modal-dialog";
import { TextAreaField, TextField } from "@/components/text-field";
import { useAction } from "@/hooks/use-action";
import { versionPath } from "@/modules/model/names";
import { modelCalls, modelKeys } from "@/queries/models";

const FIELDS = [
  ["name", "Model", "A model with a new name is created.", true],
  ["base_model", "Base model", "The model that it was trained from.", true],
  ["model_identifier", "Served as", "provider/model. Without it, no session can use this version.", false],
  ["version", "Version", "major.minor.patch; empty for the next one.", false],
  ["artifact", "Artifact", "The location of the weights.", false],
  ["provider", "Trained by", "", false],
] as const;

/** Registers a version that was trained outside ioc. */
export function RegisterVersionDialog({ onClose }: { onClose(): void }) {
  const router = useRouter();
  const register = useAction((body: NewModelVersion) => modelCalls.register(body), {
    invalidates: [modelKeys.all],
    successMessage: (made) => `${made.name}@${made.version} is registered.`,
    onSuccess: (made) => router.push(versionPath(made.name, made.version)),
    showsErrorItself: true,
  });
  const errorOf = fieldErrors(register.error);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? "").trim() || undefined;
    register.mutate({
      name: text("name") ?? "",
      base_model: text("base_model") ?? "",
      model_identifier: text("model_identifier"),
      version: text("version"),
      artifact: text("artifact"),
      provider: text("provider"),
      notes: text("notes"),
    });
  };
  return (
    <ModalDialog
      open
      onOpenChange={onClose}
      title="Register a version"
      description="For a model that was trained elsewhere. Fine-tuning jobs register their own versions."
      wide
    >
      <form onSubmit={submit} className="grid gap-4 sm:grid-cols-2">
        {FIELDS.map(([name, label, hint, required]) => (
          <TextField key={name} label={label} hint={hint} error={errorOf(name)} mono name={name} required={required} />
        ))}
        <TextAreaField
          label="Notes"
          className="sm:col-span-2"
          error={errorOf("notes")}
          name="notes"
          maxLength={4000}
          rows={3}
        />
        <div className="flex flex-col gap-3 sm:col-span-2">
          <FormActions mutation={register} act="Register" onClose={onClose} />
        </div>
      </form>
    </ModalDialog>
  );
}
