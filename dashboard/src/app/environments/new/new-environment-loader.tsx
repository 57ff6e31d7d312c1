"use client";

import { useRouter } from "next/navigation";
import { useAction } from "@/hooks/use-action";
import { environmentPath } from "@/modules/environment/paths";
import { secretNames } from "@/modules/secret/secret-scopes";
import { environmentCalls, environmentKeys, useSecrets } from "@/queries/environments";
import { NewEnvironmentView } from "./new-environment-view";

export function NewEnvironmentLoader() {
  const router = useRouter();
  const secrets = useSecrets();
  const create = useAction(environmentCalls.create, {
    invalidates: [environmentKeys.all],
    onSuccess: ({ id }) => router.push(environmentPath(id)),
    showsErrorItself: true,
  });
  return (
    <NewEnvironmentView
      secretNames={secrets.data && secretNames(secrets.data.items)}
      busy={create.isPending}
      error={create.error}
      onCreate={create.mutate}
    />
  );
}
