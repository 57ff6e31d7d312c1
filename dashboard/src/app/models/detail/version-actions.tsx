"use client";

import { Archive, ArchiveRestore, CirclePlay, Pencil, Tag } from "lucide-react";
import { useState } from "react";
import type { Model, ModelVersion } from "@/api/schema";
import { ActionButton } from "@/components/action-button";
import { ButtonLink } from "@/components/button-link";
import { ConfirmDialog } from "@/components/confirm-dialog";
import { ErrorAlert } from "@/components/content-states";
import { ModalDialog } from "@/components/modal-dialog";
import { TextAreaField } from "@/components/text-field";
import { useAction } from "@/hooks/use-action";
import { newSessionPath, registryName } from "@/modules/model/names";
import { modelCalls, modelKeys } from "@/queries/models";
import { useHasPermission } from "@/queries/tenancy";
import { MoveAliasDialog } from "./move-alias-dialog";

function VersionNotesDialog({ version, onClose }: { version: ModelVersion; onClose(): void }) {
  const [text, setText] = useState(version.notes ?? "");
  const save = useAction(() => modelCalls.change(version.name, version.version, { notes: text.trim() || null }), {
    invalidates: [modelKeys.all],
    successMessage: "Saved.",
    onSuccess: onClose,
    showsErrorItself: true,
  });
  return (
    <ModalDialog open onOpenChange={onClose} title={`Notes of ${version.version}`}>
      <div className="flex flex-col gap-4">
        <TextAreaField
          label="Notes"
          value={text}
          onChange={(event) => setText(event.target.value)}
          maxLength={4000}
          rows={6}
        />
        {save.isError && <ErrorAlert error={save.error} compact />}
        <div className="flex justify-end gap-2">
          <ActionButton onClick={onClose}>Cancel</ActionButton>
          <ActionButton look="primary" busy={save.isPending} onClick={() => save.mutate(undefined)}>
            Save
          </ActionButton>
        </div>
      </div>
    </ModalDialog>
  );
}

export function VersionActions({ model, version }: { model: Model; version: ModelVersion }) {
  const mayWrite = useHasPermission("models:write");
  const mayRun = useHasPermission("sessions:write") && !version.archived && version.model_identifier;
  const [asked, setAsked] = useState<"promote" | "notes" | "archive" | null>(null);
  const close = () => setAsked(null);
  const archive = useAction((archived: boolean) => modelCalls.change(version.name, version.version, { archived }), {
    invalidates: [modelKeys.all],
    successMessage: (one) => (one.archived ? `${one.version} is archived.` : `${one.version} is restored.`),
    onSuccess: close,
  });
  return (
    <div className="flex flex-wrap gap-2 px-3 pt-3">
      {mayRun && (
        <ButtonLink href={newSessionPath(registryName(version.name, version.version))}>
          <CirclePlay aria-hidden className="size-3.5" /> Run a session on it
        </ButtonLink>
      )}
      {mayWrite && (
        <>
          {!version.archived && (
            <ActionButton look="primary" onClick={() => setAsked("promote")}>
              <Tag aria-hidden className="size-3.5" /> Promote
            </ActionButton>
          )}
          <ActionButton onClick={() => setAsked("notes")}>
            <Pencil aria-hidden className="size-3.5" /> Notes
          </ActionButton>
          {version.archived ? (
            <ActionButton busy={archive.isPending} onClick={() => archive.mutate(false)}>
              <ArchiveRestore aria-hidden className="size-3.5" /> Restore
            </ActionButton>
          ) : (
            version.aliases.length === 0 && (
              <ActionButton look="danger" onClick={() => setAsked("archive")}>
                <Archive aria-hidden className="size-3.5" /> Archive
              </ActionButton>
            )
          )}
        </>
      )}
      {asked === "promote" && <MoveAliasDialog model={model} version={version.version} onClose={close} />}
      {asked === "notes" && <VersionNotesDialog version={version} onClose={close} />}
      {asked === "archive" && (
        <ConfirmDialog
          title={`Archive ${version.version}?`}
          text="It stays in the registry, but no alias can point to it and no session runs on it. It can be restored."
          act="Archive"
          danger
          busy={archive.isPending}
          onConfirm={() => archive.mutate(true)}
          onClose={close}
        />
      )}
    </div>
  );
}
