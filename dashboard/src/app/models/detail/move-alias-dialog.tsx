"use client";

import type { FormEvent } from "react";
import { fieldErrors } from "@/api/problem";
import type { Model, MovedModelAlias } from "@/api/schema";
import { ActionButton } from "@/components/action-button";
import { ErrorAlert } from "@/components/content-states";
import { loadedItems } from "@/components/load-state";
import { ModalDialog } from "@/components/modal-dialog";
import { SelectField } from "@/components/select-field";
import { TextField } from "@/components/text-field";
import { useAction } from "@/hooks/use-action";
import { modelCalls, modelKeys, useModelVersions } from "@/queries/models";

const SUGGESTED_ALIASES = ["champion", "challenger"];

interface MoveAliasDialogProps {
  model: Model;
  /** The alias to move. Absent, the form asks for its name. */
  alias?: string;
  /** The version that is chosen first. */
  version?: string;
  onClose(): void;
}

function describeMove({ alias, version, previous_version, warnings }: MovedModelAlias): string {
  const moved =
    previous_version === version ? `${alias} already points to ${version}.` : `${alias} now points to ${version}.`;
  return [moved, ...warnings].join(" ");
}

/** Points a new or an existing alias to a version. */
export function MoveAliasDialog({ model, alias, version, onClose }: MoveAliasDialogProps) {
  const versions = loadedItems(useModelVersions(model.name, false)).map((one) => one.version);
  const move = useAction(
    ({ alias, version }: { alias: string; version: string }) => modelCalls.moveAlias(model.name, alias, version),
    { invalidates: [modelKeys.all], successMessage: describeMove, onSuccess: onClose, showsErrorItself: true },
  );
  const errorOf = fieldErrors(move.error);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    move.mutate({ alias: alias ?? String(form.get("alias")).trim(), version: String(form.get("version")) });
  };
  // The version may be on a page of the list that is not loaded.
  const missing = version && !versions.includes(version) ? [version] : [];
  return (
    <ModalDialog
      open
      onOpenChange={onClose}
      title={alias ? `Move ${alias}` : version ? `Promote ${version}` : "Set an alias"}
      description="Sessions that refer to the alias run on this version from their next start. A rollback undoes the move."
    >
      <form onSubmit={submit} className="flex flex-col gap-4">
        {!alias && <AliasNameField model={model} error={errorOf("alias")} />}
        <SelectField
          // The chosen version applies once the options are known.
          key={versions.length}
          label="Version"
          error={errorOf("version")}
          name="version"
          defaultValue={version}
          options={[...missing, ...versions]}
        />
        {move.isError && <ErrorAlert error={move.error} compact />}
        <div className="flex justify-end gap-2">
          <ActionButton onClick={onClose}>Cancel</ActionButton>
          <ActionButton type="submit" look="primary" busy={move.isPending} disabled={versions.length === 0}>
            {alias ? "Move" : "Set alias"}
          </ActionButton>
        </div>
      </form>
    </ModalDialog>
  );
}

function AliasNameField({ model, error }: { model: Model; error?: string }) {
  const names = new Set([...model.aliases.map((one) => one.alias), ...SUGGESTED_ALIASES]);
  return (
    <>
      <TextField
        label="Alias"
        hint="Lower-case letters, digits, _ and -, starting with a letter."
        error={error}
        mono
        name="alias"
        required
        maxLength={50}
        pattern="[a-z][a-z0-9_\-]*"
        list="aliases"
      />
      <datalist id="aliases">
        {[...names].map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
    </>
  );
}
