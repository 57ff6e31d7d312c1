"use client";

import { useRouter } from "next/navigation";
import type { NewExperiment } from "@/api/schema";
import { EmptyState } from "@/components/content-states";
import { loadedItems } from "@/components/load-state";
import { showToast } from "@/components/toast";
import { useAction } from "@/hooks/use-action";
import { experimentCalls, experimentKeys } from "@/queries/experiments";
import { useModels } from "@/queries/models";
import { useHasPermission } from "@/queries/tenancy";
import { NewExperimentView } from "./new-experiment-view";

/** Creates an experiment and starts it if asked to. If only the start fails, the draft stays and a message says why. */
async function createExperiment({ body, start }: { body: NewExperiment; start: boolean }) {
  const created = await experimentCalls.create(body);
  if (!start) return created;
  return experimentCalls.start(created.id).catch((error: Error) => {
    showToast(`The experiment was created, but not started. ${error.message}`, true);
    return created;
  });
}

export function NewExperimentLoader() {
  const router = useRouter();
  const mayWrite = useHasPermission("models:write");
  const models = useModels();
  const create = useAction(createExperiment, {
    invalidates: [experimentKeys.all],
    onSuccess: (created) => router.push(`/experiments/detail/?id=${created.id}`),
    showsErrorItself: true,
  });
  if (!mayWrite)
    return <EmptyState title="Only leads and admins can create experiments.">You can watch existing ones.</EmptyState>;
  return (
    <NewExperimentView
      models={loadedItems(models)}
      busy={create.isPending}
      error={create.error}
      onCreate={(body, start) => create.mutate({ body, start })}
    />
  );
}
