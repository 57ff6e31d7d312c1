"use client";

import { Plus } from "lucide-react";
import Link from "next/link";
import { type Experiment, experimentStatusValues } from "@/api/schema";
import { ButtonLink } from "@/components/button-link";
import { EmptyState } from "@/components/content-states";
import { DataTable, HeaderCell, TableCell, TableRow } from "@/components/data-table";
import { FilterMenu } from "@/components/filter-menu";
import type { PagedState } from "@/components/load-state";
import { LabelChip, PageHeader, SectionPanel } from "@/components/page-layout";
import { PagedList } from "@/components/paged-list";
import { RelativeTime } from "@/components/relative-time";
import { EXPERIMENT_STATUS_MEANING, formatShare } from "@/modules/experiment/status";
import { StatusBadge, StatusShape } from "@/modules/status/status-badge";

function ExperimentRow({ experiment }: { experiment: Experiment }) {
  return (
    <TableRow>
      <TableCell>
        <StatusBadge status={experiment.status} meaning={EXPERIMENT_STATUS_MEANING[experiment.status]} />
      </TableCell>
      <TableCell className="min-w-40">
        <Link href={`/experiments/detail/?id=${experiment.id}`} className="font-medium hover:underline">
          {experiment.name}
        </Link>
        {experiment.description && <p className="max-w-80 truncate text-2xs text-muted">{experiment.description}</p>}
      </TableCell>
      <TableCell className="min-w-48">
        <span className="flex flex-wrap gap-1">
          {experiment.arms.map((arm) => (
            <LabelChip key={arm.name} className={arm.stopped_at ? "line-through" : undefined}>
              {arm.name} {formatShare(arm.weight, experiment.arms)}
            </LabelChip>
          ))}
        </span>
      </TableCell>
      <TableCell className="figure text-xs">{experiment.target ?? `experiment/${experiment.name}`}</TableCell>
      <TableCell>{experiment.promoted ? `${experiment.promoted.arm}, promoted` : (experiment.winner ?? "–")}</TableCell>
      <TableCell className="text-xs whitespace-nowrap text-muted">
        <RelativeTime at={experiment.started_at ?? experiment.created_at} />
      </TableCell>
    </TableRow>
  );
}

interface ExperimentListViewProps {
  experiments: PagedState<Experiment>;
  statuses: readonly string[];
  onStatuses(statuses: string[]): void;
  mayCreate: boolean;
}

const HEADS = ["State", "Experiment", "Arms", "Reference for sessions", "Winner", "Since"];

export function ExperimentListView({ experiments, statuses, onStatuses, mayCreate }: ExperimentListViewProps) {
  return (
    <div className="mx-auto max-w-[120rem]">
      <PageHeader title="Experiments" aside="Models compared on live sessions.">
        <FilterMenu
          label="State"
          values={experimentStatusValues}
          chosen={statuses}
          onChange={onStatuses}
          show={(status) => (
            <span className="flex items-center gap-1.5">
              <StatusShape status={status} /> {status}
            </span>
          )}
        />
        {mayCreate && (
          <ButtonLink primary href="/experiments/new/">
            <Plus aria-hidden className="size-4" /> New experiment
          </ButtonLink>
        )}
      </PageHeader>
      <SectionPanel title="All experiments">
        <PagedList
          state={experiments}
          empty={
            <EmptyState title={statuses.length > 0 ? "No experiment matches." : "There are no experiments yet."}>
              {statuses.length > 0
                ? "Choose other states above."
                : "An experiment distributes sessions over two or more models and reports the better one once the result is certain."}
            </EmptyState>
          }
        >
          {(items) => (
            <DataTable label="Experiments" head={HEADS.map((head) => <HeaderCell key={head}>{head}</HeaderCell>)}>
              {items.map((experiment) => (
                <ExperimentRow key={experiment.id} experiment={experiment} />
              ))}
            </DataTable>
          )}
        </PagedList>
      </SectionPanel>
    </div>
  );
}
