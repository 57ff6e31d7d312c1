"use client";

import { useRouter, useSearchParams } from "next/navigation";
import { useState } from "react";
import type { Environment, EnvironmentPatch } from "@/api/fleet-types";
import { EmptyState } from "@/components/content-states";
import { LoadedContent } from "@/components/loaded-content";
import { useAction } from "@/hooks/use-action";
import { environmentPath } from "@/modules/environment/paths";
import { secretNames } from "@/modules/secret/secret-scopes";
import { environmentCalls, environmentKeys, useEnvironment, useSecrets } from "@/queries/environments";
import { EditEnvironmentView } from "./edit-environment-view";

export function EditEnvironmentRoute() {
  const id = useSearchParams().get("id");
  if (!id)
    return <EmptyState title="No environment is selected.">Choose one from the list of environments.</EmptyState>;
  return <EditEnvironmentLoader key={id} id={id} />;
}

function EditEnvironmentLoader({ id }: { id: string }) {
  const environment = useEnvironment(id);
  return (
    <LoadedContent state={environment} rows={10}>
      {(environment) => <EnvironmentEditor environment={environment} />}
    </LoadedContent>
  );
}

function EnvironmentEditor({ environment: newest }: { environment: Environment }) {
  const router = useRouter();
  const secrets = useSecrets();
  // What was loaded first is edited, even if the environment is read again: its version says what a change is based on.
  const [environment] = useState(newest);
  const leave = () => router.push(environmentPath(environment.id));
  const change = useAction(
    (body: EnvironmentPatch) => environmentCalls.change(environment.id, environment.version, body),
    {
      invalidates: [environmentKeys.all],
      successMessage: ({ name, version }) => `${name} is saved as version ${version}.`,
      onSuccess: leave,
      showsErrorItself: true,
    },
  );
  return (
    <EditEnvironmentView
      environment={environment}
      newestVersion={change.isIdle || change.isError ? newest.version : environment.version}
      secretNames={secrets.data && secretNames(secrets.data.items, environment.id)}
      busy={change.isPending}
      error={change.error}
      onSave={change.mutate}
      onLeave={leave}
    />
  );
}
