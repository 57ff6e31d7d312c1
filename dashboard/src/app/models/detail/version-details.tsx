"use client";

import Link from "next/link";
import type { ReactNode } from "react";
import type { ModelVersion } from "@/api/schema";
import { CopyButton } from "@/components/copy-button";
import { formatUsd, shortId } from "@/components/format";
import { NoticeBox } from "@/components/notice-box";
import { FactList, LabelChip, SectionPanel } from "@/components/page-layout";
import { RelativeTime } from "@/components/relative-time";
import { metricFacts } from "@/modules/fine-tuning/metrics";
import { parameterFacts } from "@/modules/fine-tuning/parameters";
import { ModelWarnings } from "@/modules/model/model-warnings";

function versionFacts(version: ModelVersion): [string, ReactNode][] {
  const figure = (text: string) => <span className="figure text-xs break-all">{text}</span>;
  const items: [string, ReactNode][] = [
    ["Base model", figure(version.base_model)],
    ["Served as", version.model_identifier ? figure(version.model_identifier) : "not served yet"],
    ...metricFacts(version.metrics).map(([name, value]): [string, ReactNode] => [name, figure(value)]),
  ];
  if (version.provider) items.push(["Trained by", version.provider]);
  if (version.cost_usd) items.push(["Cost", figure(formatUsd(version.cost_usd))]);
  if (version.artifact) items.push(["Artifact", figure(version.artifact)]);
  items.push([
    "Registered",
    <span key="r">
      by {version.created_by.name} <RelativeTime at={version.created_at} />
    </span>,
  ]);
  return items;
}

function lineageFacts({ lineage }: ModelVersion): [string, ReactNode][] {
  const items: [string, ReactNode][] = [];
  if (lineage.job_id)
    items.push([
      "Job",
      <Link
        key="j"
        href={`/fine-tuning/detail/?id=${lineage.job_id}`}
        className="figure text-xs underline underline-offset-2"
      >
        {shortId(lineage.job_id)}
      </Link>,
    ]);
  if (lineage.dataset_sha256)
    items.push([
      "Dataset",
      <span key="d" className="inline-flex items-center gap-1">
        <span className="figure text-xs" title={lineage.dataset_sha256}>
          {lineage.dataset_sha256.slice(0, 12)}…
        </span>
        <CopyButton text={lineage.dataset_sha256} label="Copy the hash of the dataset" />
      </span>,
    ]);
  if (lineage.recipe_hash)
    items.push([
      "Recipe",
      <span key="r" className="figure text-xs" title={lineage.recipe_hash}>
        {lineage.recipe_hash.slice(0, 12)}…
      </span>,
    ]);
  return items;
}

interface VersionDetailsProps {
  version: ModelVersion;
  actions: ReactNode;
  /** The sessions of the dataset that it was trained on, where that is known. */
  sessions: ReactNode;
}

/** A version: what it is, its metrics, and its lineage. */
export function VersionDetails({ version, actions, sessions }: VersionDetailsProps) {
  const lineage = lineageFacts(version);
  const parameters = parameterFacts(version.parameters);
  const aliases = version.aliases.map((alias) => <LabelChip key={alias}>{alias}</LabelChip>);
  return (
    <>
      <ModelWarnings warnings={version.warnings} />
      {version.archived && (
        <NoticeBox>This version is archived: no alias can point to it, and no session runs on it.</NoticeBox>
      )}
      <SectionPanel title={`Version ${version.version}`} actions={aliases}>
        {actions}
        {version.notes && <p className="px-3 pt-3 text-[0.8125rem] whitespace-pre-wrap">{version.notes}</p>}
        <div className="grid md:grid-cols-2">
          <FactList items={versionFacts(version)} />
          <div>
            {parameters.length > 0 && (
              <FactList
                items={parameters.map(([name, value]) => [
                  name,
                  <span key={name} className="figure text-xs break-all">
                    {value}
                  </span>,
                ])}
              />
            )}
          </div>
        </div>
      </SectionPanel>
      <SectionPanel title="Lineage">
        {lineage.length === 0 ? (
          <p className="p-3 text-[0.8125rem] text-muted">
            This version was trained elsewhere: its training data is not known.
          </p>
        ) : (
          <div className="max-w-md">
            <FactList items={lineage} />
          </div>
        )}
        {sessions && (
          <div className="border-t border-line">
            <h3 className="label px-3 pt-3">Sessions that it was trained on</h3>
            {sessions}
          </div>
        )}
      </SectionPanel>
    </>
  );
}
