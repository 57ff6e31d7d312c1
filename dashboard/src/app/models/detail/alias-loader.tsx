"use client";

import { useState } from "react";
import type { Model } from "@/api/schema";
import { ConfirmDialog } from "@/components/confirm-dialog";
import { useAction } from "@/hooks/use-action";
import { modelCalls, modelKeys } from "@/queries/models";
import { useHasPermission } from "@/queries/tenancy";
import { AliasHistoryDialog } from "./alias-history-dialog";
import { AliasPanel, type AliasRequest } from "./alias-panel";
import { MoveAliasDialog } from "./move-alias-dialog";

export function AliasLoader({ model }: { model: Model }) {
  const mayWrite = useHasPermission("models:write");
  const mayRun = useHasPermission("sessions:write");
  const [request, setRequest] = useState<AliasRequest | null>(null);
  return (
    <>
      <AliasPanel model={model} mayWrite={mayWrite} mayRun={mayRun} onRequest={setRequest} />
      {request && <AliasRequestDialog model={model} request={request} onClose={() => setRequest(null)} />}
    </>
  );
}

interface AliasRequestDialogProps {
  model: Model;
  request: AliasRequest;
  onClose(): void;
}

function AliasRequestDialog({ model, request, onClose }: AliasRequestDialogProps) {
  switch (request.command) {
    case "create":
      return <MoveAliasDialog model={model} onClose={onClose} />;
    case "move":
      return <MoveAliasDialog model={model} alias={request.alias} onClose={onClose} />;
    case "history":
      return <AliasHistoryDialog name={model.name} alias={request.alias} onClose={onClose} />;
    case "rollback":
      return <RollBackAliasDialog name={model.name} alias={request.alias} onClose={onClose} />;
    case "remove":
      return <RemoveAliasDialog name={model.name} alias={request.alias} onClose={onClose} />;
  }
}

interface AliasDialogProps {
  name: string;
  alias: string;
  onClose(): void;
}

function RollBackAliasDialog({ name, alias, onClose }: AliasDialogProps) {
  const rollBack = useAction(() => modelCalls.rollBackAlias(name, alias), {
    invalidates: [modelKeys.all],
    successMessage: (move) => `${move.alias} points to ${move.version} again.`,
    onSuccess: onClose,
  });
  return (
    <ConfirmDialog
      title={`Roll ${alias} back?`}
      text="The alias points to its previous version again. A further rollback undoes the move before that one."
      act="Roll back"
      busy={rollBack.isPending}
      onConfirm={() => rollBack.mutate(undefined)}
      onClose={onClose}
    />
  );
}

function RemoveAliasDialog({ name, alias, onClose }: AliasDialogProps) {
  const remove = useAction(() => modelCalls.removeAlias(name, alias), {
    invalidates: [modelKeys.all],
    successMessage: "The alias is removed.",
    onSuccess: onClose,
  });
  return (
    <ConfirmDialog
      title={`Remove ${alias}?`}
      text="Sessions that refer to it are refused from then on, and waiting sessions fail. The versions stay."
      act="Remove"
      danger
      busy={remove.isPending}
      onConfirm={() => remove.mutate(undefined)}
      onClose={onClose}
    />
  );
}
