"use client";

import Link from "next/link";
import { useSearchParams } from "next/navigation";
import type { ReactNode } from "react";
import { useExperiment, useExperimentResults } from "@/api/queries/experiments";
import { useMay } from "@/api/queries/tenancy";
import type { Experiment } from "@/api/schema";
import { ButtonLink } from "@/components/button-link";
import { Copy } from "@/components/copy";
import { count, shortId } from "@/components/format";
import { Notice } from "@/components/notice";
import { Facts, Panel } from "@/components/page";
import { Empty, Failure, Loading } from "@/components/states";
import { Ago } from "@/components/time";
import { Arms, Mismatch, Sequences } from "@/modules/experiment/results";
import { MEANS, METRICS } from "@/modules/experiment/status";
import { sessionOn, versionPage } from "@/modules/model/names";
import { StatusBadge } from "@/modules/status/badge";
import { ExperimentActions } from "./actions";

export function ExperimentPage() {
  const id = useSearchParams().get("id");
  if (!id) return <Empty title="No experiment is named.">Choose one from the list of experiments.</Empty>;
  return <Shown key={id} id={id} />;
}

function Shown({ id }: { id: string }) {
  const experiment = useExperiment(id);
  if (experiment.isPending) return <Loading rows={10} />;
  if (!experiment.data) return <Failure error={experiment.error} retry={() => void experiment.refetch()} />;
  return <Whole experiment={experiment.data} />;
}

function Standing({ experiment }: { experiment: Experiment }) {
  const { promoted } = experiment;
  if (promoted) {
    return (
      <Notice label="What came of it">
        <span className="font-medium">{promoted.arm}</span> was promoted: {promoted.alias} points at{" "}
        <Link href={versionPage(promoted.model, promoted.version)} className="figure underline underline-offset-2">
          {promoted.model}@{promoted.version}
        </Link>
        .
      </Notice>
    );
  }
  if (experiment.stop_reason) return <Notice label="Why it was stopped">Stopped: {experiment.stop_reason}</Notice>;
  return null;
}

function facts(experiment: Experiment): [string, ReactNode][] {
  const named = (model: string) => (
    <span className="inline-flex items-center gap-1">
      <span className="figure text-xs break-all">{model}</span>
      <Copy text={model} label={`Copy ${model}`} />
    </span>
  );
  const items: [string, ReactNode][] = [["Sessions name", named(`experiment/${experiment.name}`)]];
  if (experiment.target) items.push(["Or its target", named(experiment.target)]);
  if (experiment.session_type) items.push(["Of the type", experiment.session_type]);
  if (experiment.started_at) items.push(["Started", <Ago key="s" at={experiment.started_at} />]);
  if (experiment.stopped_at) items.push(["Stopped", <Ago key="e" at={experiment.stopped_at} />]);
  if (experiment.winner_at) items.push(["Winner called", <Ago key="w" at={experiment.winner_at} />]);
  items.push(["Made", <Ago key="m" at={experiment.created_at} />]);
  return items;
}

function Guardrails({ experiment }: { experiment: Experiment }) {
  const stopped = experiment.arms.filter((arm) => arm.stopped_at);
  return (
    <Panel title="Guardrails">
      {experiment.guardrails.length === 0 ? (
        <p className="p-3 text-[0.8125rem] text-muted">There are none.</p>
      ) : (
        <ul className="flex flex-col gap-1.5 p-3 text-[0.8125rem]">
          {experiment.guardrails.map(({ metric, limit, min_sessions }) => (
            <li key={`${metric} ${limit}`} className="flex flex-wrap justify-between gap-x-3">
              <span>
                {METRICS[metric].label} {METRICS[metric].keeps}{" "}
                <span className="figure">{METRICS[metric].show(limit)}</span>
              </span>
              <span className="text-xs text-muted">after {count(min_sessions ?? 20)} sessions</span>
            </li>
          ))}
        </ul>
      )}
      {stopped.map((arm) => (
        <p key={arm.name} className="border-t border-line p-3 text-[0.8125rem]">
          <span className="font-medium">{arm.name}</span> was stopped {arm.stopped_at && <Ago at={arm.stopped_at} />}
          {arm.stopped_why && `: ${arm.stopped_why}`}
        </p>
      ))}
    </Panel>
  );
}

function Whole({ experiment }: { experiment: Experiment }) {
  const mayWrite = useMay("models:write");
  const mayRun = useMay("sessions:write");
  const running = experiment.status === "running";
  const results = useExperimentResults(experiment.id, running);
  return (
    <div className="mx-auto flex max-w-[120rem] flex-col gap-3">
      <header className="flex flex-wrap items-start gap-x-4 gap-y-2">
        <div className="min-w-0 flex-1 basis-80">
          <div className="flex flex-wrap items-center gap-2.5">
            <StatusBadge status={experiment.status} large means={MEANS[experiment.status]} />
            <h1 className="min-w-0 text-lg font-semibold break-words">{experiment.name}</h1>
          </div>
          <p className="mt-1 flex flex-wrap items-center gap-x-2 text-xs text-muted">
            <span className="figure" title={experiment.id}>
              {shortId(experiment.id)}
            </span>
            <Copy text={experiment.id} label="Copy the id" />
            by {experiment.created_by.name} <Ago at={experiment.created_at} />
          </p>
          {experiment.description && <p className="mt-1 max-w-3xl text-[0.8125rem]">{experiment.description}</p>}
        </div>
        <div className="flex flex-wrap gap-2">
          {mayRun && running && (
            <ButtonLink href={sessionOn(`experiment/${experiment.name}`)}>Run a session in it</ButtonLink>
          )}
          {mayWrite && <ExperimentActions experiment={experiment} winner={results.data?.winner ?? experiment.winner} />}
        </div>
      </header>
      <Standing experiment={experiment} />
      {results.data && <Mismatch results={results.data} />}
      {results.data?.warnings.map((warning) => (
        <Notice key={warning} warns>
          {warning}
        </Notice>
      ))}
      <div className="grid items-start gap-3 xl:grid-cols-[minmax(0,1fr)_22rem]">
        <div className="flex min-w-0 flex-col gap-3">
          <Panel title="Arms">
            <Arms experiment={experiment} results={results.data} />
          </Panel>
          <Panel title="What is ruled out">
            {results.isPending ? (
              <Loading />
            ) : !results.data ? (
              <Failure error={results.error} retry={() => void results.refetch()} />
            ) : experiment.status === "draft" ? (
              <Empty title="It has not been started.">Started, it shows here what the sessions of each arm tell.</Empty>
            ) : (
              <Sequences results={results.data} />
            )}
          </Panel>
        </div>
        <div className="flex flex-col gap-3">
          <Panel title="Who takes part">
            <Facts items={facts(experiment)} />
          </Panel>
          <Guardrails experiment={experiment} />
        </div>
      </div>
    </div>
  );
}
