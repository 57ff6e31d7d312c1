"use client";

import { useRouter } from "next/navigation";
import { useState } from "react";
import type { Environment } from "@/api/fleet-types";
import { ActionButton } from "@/components/action-button";
import { ButtonLink } from "@/components/button-link";
import { ConfirmDialog } from "@/components/confirm-dialog";
import { useAction } from "@/hooks/use-action";
import { environmentCalls, environmentKeys, secretKeys } from "@/queries/environments";

interface EnvironmentActionsProps {
  environment: Environment;
  mayWrite: boolean;
  mayRun: boolean;
}

export function EnvironmentActions({ environment, mayWrite, mayRun }: EnvironmentActionsProps) {
  const { id, name, is_default } = environment;
  return (
    <>
      {mayRun && <ButtonLink href={`/sessions/new/?environment=${encodeURIComponent(name)}`}>Run a session</ButtonLink>}
      {mayWrite && (
        <>
          <DefaultButton id={id} isDefault={is_default} />
          <DeleteButton environment={environment} />
          <ButtonLink primary href={`/environments/edit/?id=${id}`}>
            Edit
          </ButtonLink>
        </>
      )}
    </>
  );
}

function DefaultButton({ id, isDefault }: { id: string; isDefault: boolean }) {
  const set = useAction((is_default: boolean) => environmentCalls.setDefault(id, is_default), {
    invalidates: [environmentKeys.all],
    successMessage: ({ name, is_default }) =>
      is_default
        ? `Sessions that name no environment now run in ${name}.`
        : "Sessions that name no environment now run without one.",
  });
  return (
    <ActionButton busy={set.isPending} onClick={() => set.mutate(!isDefault)}>
      {isDefault ? "Remove as default" : "Make default"}
    </ActionButton>
  );
}

function DeleteButton({ environment: { id, name, is_default } }: { environment: Environment }) {
  const router = useRouter();
  const [asked, setAsked] = useState(false);
  const remove = useAction(() => environmentCalls.remove(id), {
    invalidates: [environmentKeys.list, secretKeys.all],
    successMessage: `${name} is deleted.`,
    onSuccess: () => router.push("/environments/"),
  });
  return (
    <>
      <ActionButton look="danger" onClick={() => setAsked(true)}>
        Delete
      </ActionButton>
      {asked && (
        <ConfirmDialog
          title={`Delete ${name}?`}
          text={`Its own secrets are deleted with it. Sessions that were created with it keep their version.${is_default ? " Sessions that name no environment then run without one." : ""}`}
          act="Delete"
          danger
          busy={remove.isPending}
          onConfirm={() => remove.mutate(undefined)}
          onClose={() => setAsked(false)}
        />
      )}
    </>
  );
}
