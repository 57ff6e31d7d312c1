"use client";

import { Archive, ArchiveRestore, CirclePlay, Pencil, Tag } from "lucide-react";
import Link from "next/link";
import { type ReactNode, useState } from "react";
import { modelCalls, modelKeys, useModelVersion } from "@/api/queries/models";
import { useMay } from "@/api/queries/tenancy";
import type { Model, ModelVersion } from "@/api/schema";
import { Button } from "@/components/button";
import { ButtonLink } from "@/components/button-link";
import { Confirm } from "@/components/confirm";
import { Copy } from "@/components/copy";
import { Dialog } from "@/components/dialog";
import { Field } from "@/components/field";
import { shortId, usd } from "@/components/format";
import { Notice } from "@/components/notice";
import { Chip, Facts, Panel } from "@/components/page";
import { Failure, Loading } from "@/components/states";
import { Ago } from "@/components/time";
import { useAct } from "@/hooks/use-act";
import { registryName, sessionOn } from "@/modules/model/names";
import { Warnings } from "@/modules/model/warnings";
import { metricFacts } from "@/modules/training/metrics";
import { parameterFacts } from "@/modules/training/parameters";
import { DatasetSessions } from "@/modules/training/sessions";
import { PointAlias } from "./aliases";

function Notes({ version, onClose }: { version: ModelVersion; onClose(): void }) {
  const [text, setText] = useState(version.notes ?? "");
  const save = useAct(() => modelCalls.change(version.name, version.version, { notes: text.trim() || null }), {
    renews: [modelKeys.all],
    done: "Noted.",
    after: onClose,
    quiet: true,
  });
  return (
    <Dialog open onOpenChange={onClose} title={`Notes of ${version.version}`}>
      <div className="flex flex-col gap-4">
        <Field label="Notes">
          {(props) => (
            <textarea
              {...props}
              value={text}
              onChange={(event) => setText(event.target.value)}
              maxLength={4000}
              rows={6}
              className="field h-auto! py-1.5"
            />
          )}
        </Field>
        {save.isError && <Failure error={save.error} compact />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Leave it</Button>
          <Button look="primary" busy={save.isPending} onClick={() => save.mutate(undefined)}>
            Save
          </Button>
        </div>
      </div>
    </Dialog>
  );
}

function Actions({ model, version }: { model: Model; version: ModelVersion }) {
  const mayWrite = useMay("models:write");
  const mayRun = useMay("sessions:write") && !version.archived && version.model_identifier;
  const [asked, setAsked] = useState<"promote" | "notes" | "archive" | null>(null);
  const close = () => setAsked(null);
  const archive = useAct((archived: boolean) => modelCalls.change(version.name, version.version, { archived }), {
    renews: [modelKeys.all],
    done: (one) => (one.archived ? `${one.version} is archived.` : `${one.version} is back.`),
    after: close,
  });
  return (
    <div className="flex flex-wrap gap-2 px-3 pt-3">
      {mayRun && (
        <ButtonLink href={sessionOn(registryName(version.name, version.version))}>
          <CirclePlay aria-hidden className="size-3.5" /> Run a session on it
        </ButtonLink>
      )}
      {mayWrite && (
        <>
          {!version.archived && (
            <Button look="primary" onClick={() => setAsked("promote")}>
              <Tag aria-hidden className="size-3.5" /> Promote
            </Button>
          )}
          <Button onClick={() => setAsked("notes")}>
            <Pencil aria-hidden className="size-3.5" /> Notes
          </Button>
          {version.archived ? (
            <Button busy={archive.isPending} onClick={() => archive.mutate(false)}>
              <ArchiveRestore aria-hidden className="size-3.5" /> Bring back
            </Button>
          ) : (
            version.aliases.length === 0 && (
              <Button look="danger" onClick={() => setAsked("archive")}>
                <Archive aria-hidden className="size-3.5" /> Archive
              </Button>
            )
          )}
        </>
      )}
      {asked === "promote" && <PointAlias model={model} version={version.version} onClose={close} />}
      {asked === "notes" && <Notes version={version} onClose={close} />}
      {asked === "archive" && (
        <Confirm
          title={`Archive ${version.version}?`}
          text="It stays and is shown, but no alias can point at it and no session runs on it. It can be brought back."
          act="Archive"
          danger
          busy={archive.isPending}
          onConfirm={() => archive.mutate(true)}
          onClose={close}
        />
      )}
    </div>
  );
}

function facts(version: ModelVersion): [string, ReactNode][] {
  const figure = (text: string) => <span className="figure text-xs break-all">{text}</span>;
  const items: [string, ReactNode][] = [
    ["Stands on", figure(version.base_model)],
    ["Served as", version.model_identifier ? figure(version.model_identifier) : "nobody serves it yet"],
    ...metricFacts(version.metrics).map(([name, value]): [string, ReactNode] => [name, figure(value)]),
  ];
  if (version.provider) items.push(["Trained by", version.provider]);
  if (version.cost_usd) items.push(["Cost", figure(usd(version.cost_usd))]);
  if (version.artifact) items.push(["Artifact", figure(version.artifact)]);
  items.push([
    "Registered",
    <span key="r">
      by {version.created_by.name} <Ago at={version.created_at} />
    </span>,
  ]);
  return items;
}

function lineage({ lineage }: ModelVersion): [string, ReactNode][] {
  const items: [string, ReactNode][] = [];
  if (lineage.job_id)
    items.push([
      "Job",
      <Link key="j" href={`/training/?id=${lineage.job_id}`} className="figure text-xs underline underline-offset-2">
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
        <Copy text={lineage.dataset_sha256} label="Copy the hash of the dataset" />
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

/** One version: what it is, what came of its training, and where it came from. */
export function Version({ model, name }: { model: Model; name: string }) {
  const version = useModelVersion(model.name, name);
  if (version.isPending) return <Loading />;
  if (!version.data) return <Failure error={version.error} retry={() => void version.refetch()} />;
  const { data } = version;
  const from = lineage(data);
  const parameters = parameterFacts(data.parameters);
  return (
    <>
      <Warnings warnings={data.warnings} />
      {data.archived && <Notice>It is archived: no alias can point at it, and no session runs on it.</Notice>}
      <Panel title={`Version ${data.version}`} actions={data.aliases.map((alias) => <Chip key={alias}>{alias}</Chip>)}>
        <Actions model={model} version={data} />
        {data.notes && <p className="px-3 pt-3 text-[0.8125rem] whitespace-pre-wrap">{data.notes}</p>}
        <div className="grid md:grid-cols-2">
          <Facts items={facts(data)} />
          <div>
            {parameters.length > 0 && (
              <Facts
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
      </Panel>
      <Panel title="Lineage">
        {from.length === 0 ? (
          <p className="p-3 text-[0.8125rem] text-muted">It was trained elsewhere: nothing is known of its data.</p>
        ) : (
          <div className="max-w-md">
            <Facts items={from} />
          </div>
        )}
        {data.lineage.dataset_id && (
          <div className="border-t border-line">
            <h3 className="label px-3 pt-3">Sessions that it was trained on</h3>
            <DatasetSessions id={data.lineage.dataset_id} />
          </div>
        )}
      </Panel>
    </>
  );
}
