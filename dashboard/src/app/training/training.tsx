"use client";

import { useSearchParams } from "next/navigation";
import { useMay } from "@/api/queries/tenancy";
import { isUnderWay, useTrainingEvents, useTrainingJob } from "@/api/queries/training";
import type { TrainingJob } from "@/api/schema";
import { Copy } from "@/components/copy";
import { shortId } from "@/components/format";
import { Notice } from "@/components/notice";
import { Panel } from "@/components/page";
import { Empty, Failure, Loading } from "@/components/states";
import { Ago } from "@/components/time";
import { WentWrong } from "@/components/went-wrong";
import { Warnings } from "@/modules/model/warnings";
import { StatusBadge } from "@/modules/status/badge";
import { TrainingActions } from "@/modules/training/action-bar";
import { Consent } from "@/modules/training/consent";
import { TrainingCurve } from "@/modules/training/curve";
import { TrainingLog } from "@/modules/training/log";
import { Progress, Way } from "@/modules/training/progress";
import { DatasetSessions } from "@/modules/training/sessions";
import { MEANS } from "@/modules/training/status";
import { DatasetPanel, Rail } from "./rail";

export function TrainingPage() {
  const id = useSearchParams().get("id");
  if (!id) return <Empty title="No job is named.">Choose one from the list of fine-tuning.</Empty>;
  return <Shown key={id} id={id} />;
}

function Shown({ id }: { id: string }) {
  const job = useTrainingJob(id);
  if (job.isPending) return <Loading rows={10} />;
  if (!job.data) return <Failure error={job.error} retry={() => void job.refetch()} />;
  return <Whole job={job.data} />;
}

function Log({ job, underWay }: { job: TrainingJob; underWay: boolean }) {
  const events = useTrainingEvents(job.id, underWay);
  if (events.isPending) return <Loading rows={4} />;
  if (!events.data) return <Failure error={events.error} retry={() => void events.refetch()} />;
  return <TrainingLog events={events.data} />;
}

function Whole({ job }: { job: TrainingJob }) {
  const mayWrite = useMay("training:write");
  const underWay = isUnderWay(job.status);
  const dataset = job.curated?.dataset_id;
  return (
    <div className="mx-auto flex max-w-[120rem] flex-col gap-3">
      <header className="flex flex-wrap items-start gap-x-4 gap-y-2">
        <div className="min-w-0 flex-1 basis-80">
          <div className="flex flex-wrap items-center gap-2.5">
            <StatusBadge status={job.status} large means={MEANS[job.status]} />
            <h1 className="min-w-0 text-lg font-semibold break-words">{job.target_model_name}</h1>
          </div>
          <p className="mt-1 flex flex-wrap items-center gap-x-2 text-xs text-muted">
            <span className="figure" title={job.id}>
              {shortId(job.id)}
            </span>
            <Copy text={job.id} label="Copy the id" />
            from {job.base_model} · {job.provider} · by {job.created_by.name} <Ago at={job.created_at} />
          </p>
        </div>
        {mayWrite && <TrainingActions job={job} />}
      </header>
      <Warnings warnings={job.warnings} />
      {job.error && <WentWrong error={job.error} />}
      {job.error?.code === "NO_CONSENT" && <Consent />}
      {job.stopping && (
        <Notice>
          It is over here. Its provider has not confirmed yet that it stopped; then it can be tried again.
        </Notice>
      )}
      {(underWay || job.status === "pending") && (
        <section
          aria-label="Progress"
          className="panel flex flex-wrap items-center justify-between gap-x-6 gap-y-2 p-3"
        >
          <Way job={job} />
          {underWay && <Progress job={job} className="w-full max-w-md" />}
        </section>
      )}
      <div className="grid items-start gap-3 xl:grid-cols-[minmax(0,1fr)_22rem]">
        <div className="flex min-w-0 flex-col gap-3">
          <Panel title="Loss">
            <TrainingCurve id={job.id} underWay={underWay} />
          </Panel>
          <Panel title="Log">
            <Log job={job} underWay={underWay} />
          </Panel>
          {dataset && (
            <Panel title="Dataset">
              <DatasetPanel id={dataset} />
            </Panel>
          )}
          {dataset && (
            <Panel title="Sessions of the dataset">
              <DatasetSessions id={dataset} />
            </Panel>
          )}
        </div>
        <Rail job={job} />
      </div>
    </div>
  );
}
