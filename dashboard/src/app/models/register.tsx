"use client";

import { useRouter } from "next/navigation";
import type { FormEvent } from "react";
import { Refused } from "@/api/problem";
import { modelCalls, modelKeys } from "@/api/queries/models";
import type { NewModelVersion } from "@/api/schema";
import { Dialog, FormEnd } from "@/components/dialog";
import { Field } from "@/components/field";
import { useAct } from "@/hooks/use-act";
import { versionPage } from "@/modules/model/names";

const FIELDS = [
  ["name", "Model", "It is made if there is none of that name.", true],
  ["base_model", "Base model", "What it stands on.", true],
  ["model_identifier", "Served as", "provider/model. Without it no session can run on it.", false],
  ["version", "Version", "major.minor.patch; empty for the next one.", false],
  ["artifact", "Artifact", "Where it lies.", false],
  ["provider", "Trained by", "", false],
] as const;

/** Registers what was trained elsewhere. */
export function RegisterVersion({ onClose }: { onClose(): void }) {
  const router = useRouter();
  const register = useAct((body: NewModelVersion) => modelCalls.register(body), {
    renews: [modelKeys.all],
    done: (made) => `${made.name}@${made.version} is registered.`,
    after: (made) => router.push(versionPage(made.name, made.version)),
    quiet: true,
  });
  const error = register.error instanceof Refused ? register.error : null;
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
    <Dialog
      open
      onOpenChange={onClose}
      title="Register a version"
      description="Of a model that was trained elsewhere. What our own jobs train is registered by them."
      wide
    >
      <form onSubmit={submit} className="grid gap-4 sm:grid-cols-2">
        {FIELDS.map(([name, label, hint, required]) => (
          <Field key={name} label={label} hint={hint} error={error?.field(name)}>
            {(props) => <input {...props} name={name} required={required} className="field figure text-xs" />}
          </Field>
        ))}
        <Field label="Notes" className="sm:col-span-2" error={error?.field("notes")}>
          {(props) => <textarea {...props} name="notes" maxLength={4000} rows={3} className="field h-auto! py-1.5" />}
        </Field>
        <div className="flex flex-col gap-3 sm:col-span-2">
          <FormEnd mutation={register} act="Register" onClose={onClose} />
        </div>
      </form>
    </Dialog>
  );
}
