"use client";

import { useState } from "react";
import type { Secret } from "@/api/fleet-types";
import { ConfirmDialog } from "@/components/confirm-dialog";
import { useAction } from "@/hooks/use-action";
import { scopeChoices, scopePath, scopeTitle } from "@/modules/secret/secret-scopes";
import { secretCalls, secretKeys, useEnvironments, useSecrets } from "@/queries/environments";
import { useHasLeadPermission, useHasPermission, useMe } from "@/queries/tenancy";
import { SecretDialog } from "./secret-dialog";
import { SecretListView } from "./secret-list-view";

export function SecretListLoader() {
  const secrets = useSecrets();
  const me = useMe();
  const mayWrite = useHasPermission("secrets:write");
  const isLead = useHasLeadPermission("secrets:write");
  const environments = useEnvironments().data?.items ?? [];
  const [edited, setEdited] = useState<Secret | "new" | null>(null);
  const [deleting, setDeleting] = useState<Secret | null>(null);
  const scopes = mayWrite ? scopeChoices(environments, { isLead, isPerson: me.data?.user != null }) : [];
  return (
    <>
      <SecretListView
        secrets={secrets}
        titleOf={(secret) => scopeTitle(secret, environments)}
        mayChange={(secret) => scopes.some(({ path }) => path === scopePath(secret))}
        onCreate={scopes.length > 0 ? () => setEdited("new") : undefined}
        onReplace={setEdited}
        onDelete={setDeleting}
      />
      {edited && (
        <SecretDialog
          key={edited === "new" ? "new" : edited.id}
          scopes={scopes}
          replaced={edited === "new" ? undefined : edited}
          onClose={() => setEdited(null)}
        />
      )}
      {deleting && (
        <DeleteSecretDialog
          secret={deleting}
          scope={scopeTitle(deleting, environments)}
          onClose={() => setDeleting(null)}
        />
      )}
    </>
  );
}

function DeleteSecretDialog({ secret, scope, onClose }: { secret: Secret; scope: string; onClose(): void }) {
  const remove = useAction(() => secretCalls.remove(scopePath(secret), secret.name), {
    invalidates: [secretKeys.all],
    successMessage: `${secret.name} is deleted.`,
    onSuccess: onClose,
  });
  return (
    <ConfirmDialog
      title={`Delete ${secret.name}?`}
      text={`Sessions that start from now on do not receive it. Its scope is: ${scope}.`}
      act="Delete"
      danger
      busy={remove.isPending}
      onConfirm={() => remove.mutate(undefined)}
      onClose={onClose}
    />
  );
}
