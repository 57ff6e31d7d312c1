"use client";

import { useState } from "react";
import type { ApiKey, CreatedApiKey } from "@/api/schema";
import { ConfirmDialog } from "@/components/confirm-dialog";
import { ModalDialog } from "@/components/modal-dialog";
import { OneTimeSecret } from "@/components/one-time-secret";
import { useAction } from "@/hooks/use-action";
import { tenancyCalls, tenancyKeys, useApiKeys, useHasPermission, useMe } from "@/queries/tenancy";
import { ApiKeyListView } from "./api-key-list-view";
import { CreateApiKeyDialog } from "./create-api-key-dialog";

export function ApiKeyListLoader() {
  const keys = useApiKeys();
  const me = useMe();
  const mayWrite = useHasPermission("api_keys:write");
  const [creating, setCreating] = useState(false);
  const [created, setCreated] = useState<CreatedApiKey | null>(null);
  const [revoking, setRevoking] = useState<ApiKey | null>(null);
  const rotate = useAction(tenancyCalls.rotateKey, { invalidates: [tenancyKeys.keys], onSuccess: setCreated });
  const ownKeyId = me.data?.key?.id;
  return (
    <>
      <ApiKeyListView
        keys={keys}
        ownKeyId={ownKeyId}
        onCreate={mayWrite ? () => setCreating(true) : undefined}
        onRevoke={setRevoking}
        onRotate={(key) => rotate.mutate(key.id)}
      />
      {creating && me.data && (
        <CreateApiKeyDialog
          role={me.data.role}
          permissions={me.data.permissions}
          onClose={() => setCreating(false)}
          onCreated={(key) => {
            setCreating(false);
            setCreated(key);
          }}
        />
      )}
      {created && (
        <ModalDialog
          open
          onOpenChange={() => setCreated(null)}
          title={`The key ${created.name}`}
          description="Programs send it in the header Authorization: Bearer."
        >
          <OneTimeSecret label="Key" secret={created.secret} onDone={() => setCreated(null)} />
        </ModalDialog>
      )}
      {revoking && (
        <RevokeKeyDialog apiKey={revoking} isOwn={revoking.id === ownKeyId} onClose={() => setRevoking(null)} />
      )}
    </>
  );
}

function RevokeKeyDialog({ apiKey, isOwn, onClose }: { apiKey: ApiKey; isOwn: boolean; onClose(): void }) {
  const revoke = useAction(() => tenancyCalls.revokeKey(apiKey.id), {
    invalidates: [tenancyKeys.keys],
    successMessage: "The key is revoked.",
    onSuccess: onClose,
  });
  return (
    <ConfirmDialog
      title={`Revoke ${apiKey.name}?`}
      text={
        isOwn
          ? "This page uses this key: you will be signed out."
          : "Calls with this key are refused from now on, and its open streams are closed."
      }
      act="Revoke"
      danger
      busy={revoke.isPending}
      onConfirm={() => revoke.mutate(undefined)}
      onClose={onClose}
    />
  );
}
