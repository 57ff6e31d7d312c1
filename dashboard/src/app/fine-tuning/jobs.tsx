"use client";

import { Plus } from "lucide-react";
import Link from "next/link";
import { useMay } from "@/api/queries/tenancy";
import { useTrainingJobs } from "@/api/queries/training";
import { providerValues, type TrainingJob, trainingStatusValues } from "@/api/schema";
import { ButtonLink } from "@/components/button-link";
import { count, shortId, usd } from "@/components/format";
import { Listed } from "@/components/listed";
import { Pick } from "@/components/menu";
import { PageHead, Panel } from "@/components/page";
import { SearchField } from "@/components/search-field";
import { Empty } from "@/components/states";
import { Table, Td, Th, Tr } from "@/components/table";
import { Ago } from "@/components/time";
import { useQueryState } from "@/hooks/use-query-state";
import { StatusBadge, StatusShape } from "@/modules/status/badge";
import { Consent } from "@/modules/training/consent";
import { Progress } from "@/modules/training/progress";
import { MEANS } from "@/modules/training/status";

function Row({ job }: { job: TrainingJob }) {
  const samples = job.curated && job.curated.training_samples + job.curated.held_out_samples;
  return (
    <Tr>
      <Td>
        <StatusBadge status={job.status} means={MEANS[job.status]} />
      </Td>
      <Td className="min-w-48">
        <Link href={`/training/?id=${job.id}`} className="font-medium hover:underline">
          {job.target_model_name}
        </Link>
        {job.model && <span className="figure ml-1.5 text-xs text-muted">{job.model.version}</span>}
        <p className="text-2xs whitespace-nowrap text-muted">
          <span className="figure">{shortId(job.id)}</span> · from <span className="figure">{job.base_model}</span>
        </p>
      </Td>
      <Td>{job.provider}</Td>
      <Td>
        <Progress job={job} className="w-36" />
      </Td>
      <Td className="figure text-right text-xs">{samples == null ? "–" : count(samples)}</Td>
      <Td className="figure text-right text-xs">{Number(job.cost_usd) > 0 ? usd(job.cost_usd) : "–"}</Td>
      <Td className="figure max-w-40 truncate text-xs text-danger">{job.error?.code}</Td>
      <Td className="text-xs whitespace-nowrap text-muted">
        <Ago at={job.created_at} />
      </Td>
    </Tr>
  );
}

const HEADS = ["State", "Model", "Provider", "Progress", "Samples", "Cost", "Error", "Made"];
const RIGHT = new Set(["Samples", "Cost"]);

export function TrainingJobs() {
  const [search, set] = useQueryState();
  const mayWrite = useMay("training:write");
  const list = (name: string) => search.get(name)?.split(",").filter(Boolean) ?? [];
  const filter = {
    status: search.get("status") ?? undefined,
    provider: search.get("provider") ?? undefined,
    q: search.get("q") ?? undefined,
  };
  const filtered = Object.values(filter).some(Boolean);
  const jobs = useTrainingJobs(filter);
  return (
    <div className="mx-auto max-w-[120rem]">
      <PageHead title="Fine-tuning" aside="From good sessions to model versions.">
        {mayWrite && (
          <ButtonLink primary href="/fine-tuning/new/">
            <Plus aria-hidden className="size-4" /> New job
          </ButtonLink>
        )}
      </PageHead>
      <Consent />
      <div className="flex flex-wrap items-center gap-2 py-3">
        <SearchField
          label="Find by model or id"
          placeholder="Model, base model or id"
          value={search.get("q") ?? ""}
          onRest={(q) => set({ q })}
        />
        <Pick
          label="State"
          values={trainingStatusValues}
          chosen={list("status")}
          onChange={(chosen) => set({ status: chosen.join(",") })}
          show={(status) => (
            <span className="flex items-center gap-1.5">
              <StatusShape status={status} /> {status}
            </span>
          )}
        />
        <Pick
          label="Provider"
          values={providerValues}
          chosen={list("provider")}
          onChange={(chosen) => set({ provider: chosen.join(",") })}
        />
      </div>
      <Panel title="Jobs">
        <Listed
          query={jobs}
          empty={
            <Empty title={filtered ? "No job fits." : "There are no jobs yet."}>
              {filtered
                ? "Loosen the filters above."
                : "A job turns completed sessions into a dataset, trains a model with it, and registers the version."}
            </Empty>
          }
        >
          {(items) => (
            <Table
              label="Jobs of fine-tuning"
              head={HEADS.map((head) => (
                <Th key={head} className={RIGHT.has(head) ? "text-right" : undefined}>
                  {head}
                </Th>
              ))}
            >
              {items.map((job) => (
                <Row key={job.id} job={job} />
              ))}
            </Table>
          )}
        </Listed>
      </Panel>
    </div>
  );
}
