"use client";

import { Plus } from "lucide-react";
import Link from "next/link";
import type { ReactNode } from "react";
import { providerValues, type TrainingJob, trainingStatusValues } from "@/api/schema";
import { ButtonLink } from "@/components/button-link";
import { EmptyState } from "@/components/content-states";
import { DataTable, HeaderCell, TableCell, TableRow } from "@/components/data-table";
import { FilterMenu } from "@/components/filter-menu";
import { formatCount, formatUsd, shortId } from "@/components/format";
import type { PagedState } from "@/components/load-state";
import { PageHeader, SectionPanel } from "@/components/page-layout";
import { PagedList } from "@/components/paged-list";
import { RelativeTime } from "@/components/relative-time";
import { SearchField } from "@/components/search-field";
import { TRAINING_STATUS_MEANING } from "@/modules/fine-tuning/status";
import { TrainingProgress } from "@/modules/fine-tuning/training-progress";
import { StatusBadge, StatusShape } from "@/modules/status/status-badge";

function TrainingJobRow({ job }: { job: TrainingJob }) {
  const samples = job.curated && job.curated.training_samples + job.curated.held_out_samples;
  return (
    <TableRow>
      <TableCell>
        <StatusBadge status={job.status} meaning={TRAINING_STATUS_MEANING[job.status]} />
      </TableCell>
      <TableCell className="min-w-48">
        <Link href={`/fine-tuning/detail/?id=${job.id}`} className="font-medium hover:underline">
          {job.target_model_name}
        </Link>
        {job.model && <span className="figure ml-1.5 text-xs text-muted">{job.model.version}</span>}
        <p className="text-2xs whitespace-nowrap text-muted">
          <span className="figure">{shortId(job.id)}</span> · from <span className="figure">{job.base_model}</span>
        </p>
      </TableCell>
      <TableCell>{job.provider}</TableCell>
      <TableCell>
        <TrainingProgress job={job} className="w-36" />
      </TableCell>
      <TableCell className="figure text-right text-xs">{samples == null ? "–" : formatCount(samples)}</TableCell>
      <TableCell className="figure text-right text-xs">
        {Number(job.cost_usd) > 0 ? formatUsd(job.cost_usd) : "–"}
      </TableCell>
      <TableCell className="figure max-w-40 truncate text-xs text-danger">{job.error?.code}</TableCell>
      <TableCell className="text-xs whitespace-nowrap text-muted">
        <RelativeTime at={job.created_at} />
      </TableCell>
    </TableRow>
  );
}

const HEADS = ["State", "Model", "Provider", "Progress", "Samples", "Cost", "Error", "Created"];
const RIGHT = new Set(["Samples", "Cost"]);

export interface TrainingJobFilter {
  readonly search: string;
  readonly statuses: readonly string[];
  readonly providers: readonly string[];
}

interface TrainingJobListViewProps {
  jobs: PagedState<TrainingJob>;
  filter: TrainingJobFilter;
  onFilter(change: Partial<TrainingJobFilter>): void;
  mayCreate: boolean;
  consent: ReactNode;
}

export function TrainingJobListView({ jobs, filter, onFilter, mayCreate, consent }: TrainingJobListViewProps) {
  const filtered = Boolean(filter.search) || filter.statuses.length > 0 || filter.providers.length > 0;
  return (
    <div className="mx-auto max-w-[120rem]">
      <PageHeader title="Fine-tuning" aside="Train model versions on successful sessions.">
        {mayCreate && (
          <ButtonLink primary href="/fine-tuning/new/">
            <Plus aria-hidden className="size-4" /> New job
          </ButtonLink>
        )}
      </PageHeader>
      {consent}
      <TrainingJobFilters filter={filter} onFilter={onFilter} />
      <SectionPanel title="Jobs">
        <PagedList
          state={jobs}
          empty={
            <EmptyState title={filtered ? "No job matches." : "There are no jobs yet."}>
              {filtered
                ? "Change the filters above."
                : "A job builds a dataset from completed sessions, trains a model on it, and registers the new version."}
            </EmptyState>
          }
        >
          {(items) => (
            <DataTable
              label="Fine-tuning jobs"
              head={HEADS.map((head) => (
                <HeaderCell key={head} className={RIGHT.has(head) ? "text-right" : undefined}>
                  {head}
                </HeaderCell>
              ))}
            >
              {items.map((job) => (
                <TrainingJobRow key={job.id} job={job} />
              ))}
            </DataTable>
          )}
        </PagedList>
      </SectionPanel>
    </div>
  );
}

function TrainingJobFilters({ filter, onFilter }: Pick<TrainingJobListViewProps, "filter" | "onFilter">) {
  return (
    <div className="flex flex-wrap items-center gap-2 py-3">
      <SearchField
        label="Find by model or id"
        placeholder="Model, base model or id"
        value={filter.search}
        onSettled={(search) => onFilter({ search })}
      />
      <FilterMenu
        label="State"
        values={trainingStatusValues}
        chosen={filter.statuses}
        onChange={(statuses) => onFilter({ statuses })}
        show={(status) => (
          <span className="flex items-center gap-1.5">
            <StatusShape status={status} /> {status}
          </span>
        )}
      />
      <FilterMenu
        label="Provider"
        values={providerValues}
        chosen={filter.providers}
        onChange={(providers) => onFilter({ providers })}
      />
    </div>
  );
}
