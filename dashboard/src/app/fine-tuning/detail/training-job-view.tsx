"use client";

import type { ReactNode } from "react";
import type { Point, TrainingEvent, TrainingJob } from "@/api/schema";
import { CopyButton } from "@/components/copy-button";
import { FailureDetails } from "@/components/failure-details";
import { shortId } from "@/components/format";
import type { ListState, LoadState } from "@/components/load-state";
import { LoadedContent } from "@/components/loaded-content";
import { NoticeBox } from "@/components/notice-box";
import { SectionPanel } from "@/components/page-layout";
import { RelativeTime } from "@/components/relative-time";
import { TRAINING_STATUS_MEANING } from "@/modules/fine-tuning/status";
import { TrainingCurve } from "@/modules/fine-tuning/training-curve";
import { TrainingLog } from "@/modules/fine-tuning/training-log";
import { TrainingProgress, TrainingSteps } from "@/modules/fine-tuning/training-progress";
import { ModelWarnings } from "@/modules/model/model-warnings";
import { StatusBadge } from "@/modules/status/status-badge";
import { TrainingJobDetailsPanel } from "./training-job-details-panel";

interface TrainingJobViewProps {
  job: TrainingJob;
  /** Whether the job is queued, running or being evaluated. */
  unfinished: boolean;
  curve: ListState<Point>;
  events: LoadState<readonly TrainingEvent[]>;
  actions: ReactNode;
  consent: ReactNode;
  /** The dataset and its sessions, once the job has built one. */
  dataset?: ReactNode;
  datasetSessions?: ReactNode;
}

export function TrainingJobView(props: TrainingJobViewProps) {
  const { job, unfinished, curve, events, actions, consent, dataset, datasetSessions } = props;
  return (
    <div className="mx-auto flex max-w-[120rem] flex-col gap-3">
      <TrainingJobHeader job={job} actions={actions} />
      <ModelWarnings warnings={job.warnings} />
      {job.error && <FailureDetails error={job.error} />}
      {job.error?.code === "NO_CONSENT" && consent}
      {job.stopping && (
        <NoticeBox>
          The job has ended here, but its provider has not confirmed the stop yet. After that, it can be retried.
        </NoticeBox>
      )}
      {(unfinished || job.status === "pending") && (
        <section
          aria-label="Progress"
          className="panel flex flex-wrap items-center justify-between gap-x-6 gap-y-2 p-3"
        >
          <TrainingSteps job={job} />
          {unfinished && <TrainingProgress job={job} className="w-full max-w-md" />}
        </section>
      )}
      <div className="grid items-start gap-3 xl:grid-cols-[minmax(0,1fr)_22rem]">
        <div className="flex min-w-0 flex-col gap-3">
          <SectionPanel title="Loss">
            <LoadedContent state={curve}>
              {({ items }) => <TrainingCurve points={items} unfinished={unfinished} />}
            </LoadedContent>
          </SectionPanel>
          <SectionPanel title="Log">
            <LoadedContent state={events} rows={4}>
              {(events) => <TrainingLog events={events} />}
            </LoadedContent>
          </SectionPanel>
          {dataset && <SectionPanel title="Dataset">{dataset}</SectionPanel>}
          {datasetSessions && <SectionPanel title="Sessions of the dataset">{datasetSessions}</SectionPanel>}
        </div>
        <TrainingJobDetailsPanel job={job} />
      </div>
    </div>
  );
}

function TrainingJobHeader({ job, actions }: Pick<TrainingJobViewProps, "job" | "actions">) {
  return (
    <header className="flex flex-wrap items-start gap-x-4 gap-y-2">
      <div className="min-w-0 flex-1 basis-80">
        <div className="flex flex-wrap items-center gap-2.5">
          <StatusBadge status={job.status} large meaning={TRAINING_STATUS_MEANING[job.status]} />
          <h1 className="min-w-0 text-lg font-semibold break-words">{job.target_model_name}</h1>
        </div>
        <p className="mt-1 flex flex-wrap items-center gap-x-2 text-xs text-muted">
          <span className="figure" title={job.id}>
            {shortId(job.id)}
          </span>
          <CopyButton text={job.id} label="Copy the id" />
          from {job.base_model} · {job.provider} · by {job.created_by.name} <RelativeTime at={job.created_at} />
        </p>
      </div>
      {actions}
    </header>
  );
}
