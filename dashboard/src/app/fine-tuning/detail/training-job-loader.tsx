"use client";

import { useSearchParams } from "next/navigation";
import type { TrainingJob } from "@/api/schema";
import { EmptyState } from "@/components/content-states";
import { LoadedContent } from "@/components/loaded-content";
import { TrainingActionBar } from "@/modules/fine-tuning/action-bar";
import { DatasetSessions } from "@/modules/fine-tuning/dataset-sessions";
import { TrainingConsent } from "@/modules/fine-tuning/training-consent";
import { isUnfinished, useDataset, useLossCurve, useTrainingEvents, useTrainingJob } from "@/queries/fine-tuning";
import { useHasPermission } from "@/queries/tenancy";
import { DatasetPanel } from "./dataset-panel";
import { TrainingJobView } from "./training-job-view";

export function TrainingJobRoute() {
  const id = useSearchParams().get("id");
  if (!id) return <EmptyState title="No job is selected.">Choose one from the list of fine-tuning jobs.</EmptyState>;
  return <TrainingJobLoader key={id} id={id} />;
}

function TrainingJobLoader({ id }: { id: string }) {
  const job = useTrainingJob(id);
  return (
    <LoadedContent state={job} rows={10}>
      {(job) => <TrainingJobDetailsLoader job={job} />}
    </LoadedContent>
  );
}

function TrainingJobDetailsLoader({ job }: { job: TrainingJob }) {
  const unfinished = isUnfinished(job.status);
  const curve = useLossCurve(job.id, unfinished);
  const events = useTrainingEvents(job.id, unfinished);
  const mayWrite = useHasPermission("fine_tuning:write");
  const datasetId = job.curated?.dataset_id;
  return (
    <TrainingJobView
      job={job}
      unfinished={unfinished}
      curve={curve}
      events={events}
      actions={mayWrite && <TrainingActionBar job={job} />}
      consent={<TrainingConsent />}
      dataset={datasetId && <DatasetLoader id={datasetId} />}
      datasetSessions={datasetId && <DatasetSessions id={datasetId} />}
    />
  );
}

function DatasetLoader({ id }: { id: string }) {
  const dataset = useDataset(id);
  return <LoadedContent state={dataset}>{(dataset) => <DatasetPanel dataset={dataset} />}</LoadedContent>;
}
