"use client";

import { useRouter, useSearchParams } from "next/navigation";
import type { NewSession } from "@/api/schema";
import { loadedItems } from "@/components/load-state";
import { useAction } from "@/hooks/use-action";
import { useAgents } from "@/queries/agents";
import { useEnvironments } from "@/queries/environments";
import { useModels } from "@/queries/models";
import { sessionCalls, sessionKeys } from "@/queries/sessions";
import { NewSessionView } from "./new-session-view";

export function NewSessionLoader() {
  const router = useRouter();
  const search = useSearchParams();
  const agents = useAgents();
  const environments = useEnvironments();
  const models = useModels();
  const create = useAction((body: NewSession) => sessionCalls.create(body), {
    invalidates: [sessionKeys.all],
    onSuccess: (created) => router.push(`/sessions/detail/?id=${created.id}`),
    showsErrorItself: true,
  });
  const parameter = (name: string) => search.get(name) ?? undefined;
  return (
    <NewSessionView
      agents={agents.data?.items ?? []}
      environments={environments.data?.items ?? []}
      models={loadedItems(models)}
      defaults={{
        agent: parameter("agent"),
        model: parameter("model"),
        parent: parameter("parent"),
        environment: parameter("environment"),
      }}
      busy={create.isPending}
      error={create.error}
      onCreate={create.mutate}
    />
  );
}
