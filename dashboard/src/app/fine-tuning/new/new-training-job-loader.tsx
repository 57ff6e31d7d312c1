"use client";

import { useRouter } from "next/navigation";
import type { DatasetRecipe, NewTrainingJob } from "@/api/schema";
import { EmptyState } from "@/components/content-states";
import { loadedItems } from "@/components/load-state";
import { showToast } from "@/components/toast";
import { useAction } from "@/hooks/use-action";
import { TrainingConsent } from "@/modules/fine-tuning/training-consent";
import { trainingCalls, trainingKeys, useTrainingProviders } from "@/queries/fine-tuning";
import { useBaseModels, useModels } from "@/queries/models";
import { useHasPermission } from "@/queries/tenancy";
import { NewTrainingJobView } from "./new-training-job-view";

/** Creates a job and starts it if asked to. If only the start fails, the job stays and a message says why. */
async function createTrainingJob({ body, start }: { body: NewTrainingJob; start: boolean }) {
  const created = await trainingCalls.create(body);
  if (!start) return created;
  return trainingCalls.start(created.id).catch((error: Error) => {
    showToast(`The job was created, but not started. ${error.message}`, true);
    return created;
  });
}

export function NewTrainingJobLoader() {
  const router = useRouter();
  const mayWrite = useHasPermission("fine_tuning:write");
  const models = useModels();
  const baseModels = useBaseModels();
  const providers = useTrainingProviders();
  const preview = useAction((body: DatasetRecipe) => trainingCalls.preview(body), {
    invalidates: [],
    showsErrorItself: true,
  });
  const create = useAction(createTrainingJob, {
    invalidates: [trainingKeys.lists],
    onSuccess: (created) => router.push(`/fine-tuning/detail/?id=${created.id}`),
    showsErrorItself: true,
  });
  if (!mayWrite)
    return (
      <EmptyState title="Only leads and admins can create fine-tuning jobs.">You can watch existing ones.</EmptyState>
    );
  return (
    <NewTrainingJobView
      models={loadedItems(models)}
      baseModels={loadedItems(baseModels)}
      providers={providers.data?.items}
      preview={preview}
      onPreview={preview.mutate}
      busy={create.isPending}
      error={create.error}
      onCreate={(body, start) => create.mutate({ body, start })}
      consent={<TrainingConsent />}
    />
  );
}
