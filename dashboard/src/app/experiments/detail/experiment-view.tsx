"use client";

import Link from "next/link";
import type { ReactNode } from "react";
import type { Experiment, ExperimentResults } from "@/api/schema";
import { ButtonLink } from "@/components/button-link";
import { EmptyState } from "@/components/content-states";
import { CopyButton } from "@/components/copy-button";
import { formatCount, shortId } from "@/components/format";
import type { LoadState } from "@/components/load-state";
import { LoadedContent } from "@/components/loaded-content";
import { NoticeBox } from "@/components/notice-box";
import { FactList, SectionPanel } from "@/components/page-layout";
import { RelativeTime } from "@/components/relative-time";
import { ArmTable, ConfidenceSequences, SampleRatioAlert } from "@/modules/experiment/results";
import { EXPERIMENT_STATUS_MEANING, GUARDED_METRICS } from "@/modules/experiment/status";
import { newSessionPath, versionPath } from "@/modules/model/names";
import { StatusBadge } from "@/modules/status/status-badge";

function ExperimentOutcomeNotice({ experiment }: { experiment: Experiment }) {
  const { promoted } = experiment;
  if (promoted) {
    return (
      <NoticeBox label="Outcome">
        <span className="font-medium">{promoted.arm}</span> was promoted: {promoted.alias} points to{" "}
        <Link href={versionPath(promoted.model, promoted.version)} className="figure underline underline-offset-2">
          {promoted.model}@{promoted.version}
        </Link>
        .
      </NoticeBox>
    );
  }
  if (experiment.stop_reason)
    return <NoticeBox label="Reason for the stop">Stopped: {experiment.stop_reason}</NoticeBox>;
  return null;
}

function experimentFacts(experiment: Experiment): [string, ReactNode][] {
  const named = (model: string) => (
    <span className="inline-flex items-center gap-1">
      <span className="figure text-xs break-all">{model}</span>
      <CopyButton text={model} label={`Copy ${model}`} />
    </span>
  );
  const items: [string, ReactNode][] = [["Reference for sessions", named(`experiment/${experiment.name}`)]];
  if (experiment.target) items.push(["Target", named(experiment.target)]);
  if (experiment.session_type) items.push(["Session type", experiment.session_type]);
  if (experiment.started_at) items.push(["Started", <RelativeTime key="s" at={experiment.started_at} />]);
  if (experiment.stopped_at) items.push(["Stopped", <RelativeTime key="e" at={experiment.stopped_at} />]);
  if (experiment.winner_at) items.push(["Winner found", <RelativeTime key="w" at={experiment.winner_at} />]);
  items.push(["Created", <RelativeTime key="m" at={experiment.created_at} />]);
  return items;
}

function GuardrailPanel({ experiment }: { experiment: Experiment }) {
  const stopped = experiment.arms.filter((arm) => arm.stopped_at);
  return (
    <SectionPanel title="Guardrails">
      {experiment.guardrails.length === 0 ? (
        <p className="p-3 text-[0.8125rem] text-muted">There are no guardrails.</p>
      ) : (
        <ul className="flex flex-col gap-1.5 p-3 text-[0.8125rem]">
          {experiment.guardrails.map(({ metric, limit, min_sessions }) => (
            <li key={`${metric} ${limit}`} className="flex flex-wrap justify-between gap-x-3">
              <span>
                {GUARDED_METRICS[metric].label} {GUARDED_METRICS[metric].comparison}{" "}
                <span className="figure">{GUARDED_METRICS[metric].show(limit)}</span>
              </span>
              <span className="text-xs text-muted">after {formatCount(min_sessions ?? 20)} sessions</span>
            </li>
          ))}
        </ul>
      )}
      {stopped.map((arm) => (
        <p key={arm.name} className="border-t border-line p-3 text-[0.8125rem]">
          <span className="font-medium">{arm.name}</span> was stopped{" "}
          {arm.stopped_at && <RelativeTime at={arm.stopped_at} />}
          {arm.stopped_why && `: ${arm.stopped_why}`}
        </p>
      ))}
    </SectionPanel>
  );
}

interface ExperimentViewProps {
  experiment: Experiment;
  results: LoadState<ExperimentResults>;
  mayRun: boolean;
  actions: ReactNode;
}

export function ExperimentView({ experiment, results, mayRun, actions }: ExperimentViewProps) {
  return (
    <div className="mx-auto flex max-w-[120rem] flex-col gap-3">
      <ExperimentHeader experiment={experiment} mayRun={mayRun} actions={actions} />
      <ExperimentOutcomeNotice experiment={experiment} />
      {results.data && <SampleRatioAlert results={results.data} />}
      {results.data?.warnings.map((warning) => (
        <NoticeBox key={warning} warns>
          {warning}
        </NoticeBox>
      ))}
      <div className="grid items-start gap-3 xl:grid-cols-[minmax(0,1fr)_22rem]">
        <div className="flex min-w-0 flex-col gap-3">
          <SectionPanel title="Arms">
            <ArmTable experiment={experiment} results={results.data} />
          </SectionPanel>
          <SectionPanel title="Confidence">
            <LoadedContent state={results}>
              {(results) =>
                experiment.status === "draft" ? (
                  <EmptyState title="The experiment has not been started.">
                    Once it runs, the results of each arm's sessions appear here.
                  </EmptyState>
                ) : (
                  <ConfidenceSequences results={results} />
                )
              }
            </LoadedContent>
          </SectionPanel>
        </div>
        <div className="flex flex-col gap-3">
          <SectionPanel title="Sessions">
            <FactList items={experimentFacts(experiment)} />
          </SectionPanel>
          <GuardrailPanel experiment={experiment} />
        </div>
      </div>
    </div>
  );
}

function ExperimentHeader({ experiment, mayRun, actions }: Omit<ExperimentViewProps, "results">) {
  return (
    <header className="flex flex-wrap items-start gap-x-4 gap-y-2">
      <div className="min-w-0 flex-1 basis-80">
        <div className="flex flex-wrap items-center gap-2.5">
          <StatusBadge status={experiment.status} large meaning={EXPERIMENT_STATUS_MEANING[experiment.status]} />
          <h1 className="min-w-0 text-lg font-semibold break-words">{experiment.name}</h1>
        </div>
        <p className="mt-1 flex flex-wrap items-center gap-x-2 text-xs text-muted">
          <span className="figure" title={experiment.id}>
            {shortId(experiment.id)}
          </span>
          <CopyButton text={experiment.id} label="Copy the id" />
          by {experiment.created_by.name} <RelativeTime at={experiment.created_at} />
        </p>
        {experiment.description && <p className="mt-1 max-w-3xl text-[0.8125rem]">{experiment.description}</p>}
      </div>
      <div className="flex flex-wrap gap-2">
        {mayRun && experiment.status === "running" && (
          <ButtonLink href={newSessionPath(`experiment/${experiment.name}`)}>Run a session in it</ButtonLink>
        )}
        {actions}
      </div>
    </header>
  );
}
