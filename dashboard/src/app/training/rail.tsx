"use client";

import Link from "next/link";
import type { ReactNode } from "react";
import { useDataset } from "@/api/queries/training";
import type { TrainingJob } from "@/api/schema";
import { Copy } from "@/components/copy";
import { bytes, compact, count, usd } from "@/components/format";
import { Notice } from "@/components/notice";
import { Facts, Panel, Tiles } from "@/components/page";
import { Failure, Loading } from "@/components/states";
import { Ago, Lasting } from "@/components/time";
import { versionPage } from "@/modules/model/names";
import { metricFacts } from "@/modules/training/metrics";
import { parameterFacts } from "@/modules/training/parameters";
import { Tally } from "@/modules/training/tally";

function Figure({ children }: { children: ReactNode }) {
  return <span className="figure text-xs">{children}</span>;
}

function Result({ job }: { job: TrainingJob }) {
  const { model, evaluation } = job;
  const facts: [string, ReactNode][] = metricFacts(job.metrics).map(([name, value]) => [
    name,
    <Figure key={name}>{value}</Figure>,
  ]);
  if (!model && facts.length === 0) return null;
  if (evaluation) facts.push(["Measured", `by ${evaluation.by}, ${count(evaluation.samples)} samples`]);
  return (
    <Panel title="Result">
      {model && (
        <p className="px-3 pt-3">
          <Link
            href={versionPage(model.name, model.version)}
            className="figure font-semibold underline underline-offset-2"
          >
            {model.name}@{model.version}
          </Link>
        </p>
      )}
      <Facts items={facts} />
      {evaluation?.reason && <p className="px-3 pb-3 text-xs text-muted">{evaluation.reason}</p>}
    </Panel>
  );
}

function Recipe({ job }: { job: TrainingJob }) {
  const { dataset: recipe } = job;
  const items: [string, ReactNode][] = [["Success at least", <Figure key="s">{recipe.min_success_rate}</Figure>]];
  if (recipe.session_type) items.push(["Type", recipe.session_type]);
  if (recipe.tags.length > 0) items.push(["Tags", recipe.tags.join(", ")]);
  if (recipe.model) items.push(["Ran on", <Figure key="m">{recipe.model}</Figure>]);
  if (recipe.since) items.push(["Since", <Ago key="a" at={recipe.since} />]);
  if (recipe.until) items.push(["Before", <Ago key="b" at={recipe.until} />]);
  items.push(
    ["Samples", <Figure key="l">{`${count(recipe.min_samples)} to ${count(recipe.limit)}`}</Figure>],
    ["Form", recipe.format],
  );
  return (
    <Panel title="Recipe">
      <Facts items={items} />
    </Panel>
  );
}

export function DatasetPanel({ id }: { id: string }) {
  const dataset = useDataset(id);
  if (dataset.isPending) return <Loading />;
  if (!dataset.data) return <Failure error={dataset.error} retry={() => void dataset.refetch()} />;
  const { data } = dataset;
  return (
    <>
      <div className="p-3">
        <Tiles
          items={[
            ["Samples", count(data.samples)],
            ["To train", count(data.training.samples), bytes(data.training.bytes)],
            ["Held out", count(data.held_out?.samples ?? 0), data.held_out ? bytes(data.held_out.bytes) : undefined],
            ["Looked at", count(data.tally.looked_at)],
            ["Tokens, about", compact(data.tally.tokens)],
          ]}
        />
        <p className="mt-3 flex flex-wrap items-center gap-x-1 text-xs text-muted">
          SHA-256 <span className="figure break-all">{data.sha256}</span>
          <Copy text={data.sha256} label="Copy the hash" />
          made <Ago at={data.created_at} />
        </p>
      </div>
      <div className="border-t border-line p-3">
        <Tally tally={data.tally} />
      </div>
      {data.deleted_sessions > 0 && (
        <div className="p-3 pt-0">
          <Notice warns>
            {count(data.deleted_sessions)} of its sessions {data.deleted_sessions === 1 ? "was" : "were"} deleted after
            it was made; it still holds what they said. Make a new one, and train anew, where that may not be.
          </Notice>
        </div>
      )}
    </>
  );
}

function Run({ job }: { job: TrainingJob }) {
  const items: [string, ReactNode][] = [
    ["Provider", job.provider],
    ["Base model", <Figure key="b">{job.base_model}</Figure>],
    ["Attempt", <Figure key="a">{job.attempt}</Figure>],
    ["Cost", <Figure key="c">{usd(job.cost_usd)}</Figure>],
    ["Takes", job.started_at ? <Lasting key="l" from={job.started_at} to={job.ended_at} /> : "not started"],
  ];
  if (job.submitted_at) items.push(["Handed over", <Ago key="s" at={job.submitted_at} />]);
  if (job.polled_at) items.push(["Last looked at", <Ago key="p" at={job.polled_at} />]);
  if (job.external_id) items.push(["There called", <Figure key="e">{job.external_id}</Figure>]);
  return (
    <Panel title="Run">
      <Facts items={items} />
    </Panel>
  );
}

function Given({ job }: { job: TrainingJob }) {
  return (
    <Panel title="Hyper-parameters">
      <Facts
        items={parameterFacts(job.parameters).map(([name, value]) => [name, <Figure key={name}>{value}</Figure>])}
      />
    </Panel>
  );
}

export function Rail({ job }: { job: TrainingJob }) {
  return (
    <aside aria-label="Figures" className="grid items-start gap-3 sm:grid-cols-2 xl:grid-cols-1">
      <Result job={job} />
      <Run job={job} />
      <Given job={job} />
      <Recipe job={job} />
    </aside>
  );
}
