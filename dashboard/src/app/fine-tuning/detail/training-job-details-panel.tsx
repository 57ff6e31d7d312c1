"use client";

import Link from "next/link";
import type { ReactNode } from "react";
import type { TrainingJob } from "@/api/schema";
import { formatCount, formatUsd } from "@/components/format";
import { FactList, SectionPanel } from "@/components/page-layout";
import { ElapsedTime, RelativeTime } from "@/components/relative-time";
import { metricFacts } from "@/modules/fine-tuning/metrics";
import { parameterFacts } from "@/modules/fine-tuning/parameters";
import { versionPath } from "@/modules/model/names";

function FigureText({ children }: { children: ReactNode }) {
  return <span className="figure text-xs">{children}</span>;
}

function TrainingResultPanel({ job }: { job: TrainingJob }) {
  const { model, evaluation } = job;
  const facts: [string, ReactNode][] = metricFacts(job.metrics).map(([name, value]) => [
    name,
    <FigureText key={name}>{value}</FigureText>,
  ]);
  if (!model && facts.length === 0) return null;
  if (evaluation) facts.push(["Evaluated", `by ${evaluation.by}, ${formatCount(evaluation.samples)} samples`]);
  return (
    <SectionPanel title="Result">
      {model && (
        <p className="px-3 pt-3">
          <Link
            href={versionPath(model.name, model.version)}
            className="figure font-semibold underline underline-offset-2"
          >
            {model.name}@{model.version}
          </Link>
        </p>
      )}
      <FactList items={facts} />
      {evaluation?.reason && <p className="px-3 pb-3 text-xs text-muted">{evaluation.reason}</p>}
    </SectionPanel>
  );
}

function DatasetRecipePanel({ job }: { job: TrainingJob }) {
  const { dataset: recipe } = job;
  const items: [string, ReactNode][] = [
    ["Minimum success rate", <FigureText key="s">{recipe.min_success_rate}</FigureText>],
  ];
  if (recipe.session_type) items.push(["Type", recipe.session_type]);
  if (recipe.tags.length > 0) items.push(["Tags", recipe.tags.join(", ")]);
  if (recipe.model) items.push(["Session model", <FigureText key="m">{recipe.model}</FigureText>]);
  if (recipe.since) items.push(["Since", <RelativeTime key="a" at={recipe.since} />]);
  if (recipe.until) items.push(["Before", <RelativeTime key="b" at={recipe.until} />]);
  items.push(
    [
      "Samples",
      <FigureText key="l">{`${formatCount(recipe.min_samples)} to ${formatCount(recipe.limit)}`}</FigureText>,
    ],
    ["Format", recipe.format],
  );
  return (
    <SectionPanel title="Recipe">
      <FactList items={items} />
    </SectionPanel>
  );
}

function TrainingRunPanel({ job }: { job: TrainingJob }) {
  const items: [string, ReactNode][] = [
    ["Provider", job.provider],
    ["Base model", <FigureText key="b">{job.base_model}</FigureText>],
    ["Attempt", <FigureText key="a">{job.attempt}</FigureText>],
    ["Cost", <FigureText key="c">{formatUsd(job.cost_usd)}</FigureText>],
    ["Duration", job.started_at ? <ElapsedTime key="l" from={job.started_at} to={job.ended_at} /> : "not started"],
  ];
  if (job.submitted_at) items.push(["Submitted", <RelativeTime key="s" at={job.submitted_at} />]);
  if (job.polled_at) items.push(["Last polled", <RelativeTime key="p" at={job.polled_at} />]);
  if (job.external_id) items.push(["Provider's id", <FigureText key="e">{job.external_id}</FigureText>]);
  return (
    <SectionPanel title="Run">
      <FactList items={items} />
    </SectionPanel>
  );
}

function HyperParameterPanel({ job }: { job: TrainingJob }) {
  return (
    <SectionPanel title="Hyper-parameters">
      <FactList
        items={parameterFacts(job.parameters).map(([name, value]) => [
          name,
          <FigureText key={name}>{value}</FigureText>,
        ])}
      />
    </SectionPanel>
  );
}

export function TrainingJobDetailsPanel({ job }: { job: TrainingJob }) {
  return (
    <aside aria-label="Details" className="grid items-start gap-3 sm:grid-cols-2 xl:grid-cols-1">
      <TrainingResultPanel job={job} />
      <TrainingRunPanel job={job} />
      <HyperParameterPanel job={job} />
      <DatasetRecipePanel job={job} />
    </aside>
  );
}
