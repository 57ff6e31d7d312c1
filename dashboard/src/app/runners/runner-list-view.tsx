"use client";

import { Plus, X } from "lucide-react";
import Link from "next/link";
import type { ReactNode } from "react";
import type { Runner, RunnerProgram } from "@/api/fleet-types";
import { ActionButton } from "@/components/action-button";
import { EmptyState } from "@/components/content-states";
import { DataTable, HeaderCell, TableCell, TableRow } from "@/components/data-table";
import { FilterMenu } from "@/components/filter-menu";
import type { PagedState } from "@/components/load-state";
import { loadedItems } from "@/components/load-state";
import { LabelChip, PageHeader, SectionPanel } from "@/components/page-layout";
import { PagedList } from "@/components/paged-list";
import { RelativeTime } from "@/components/relative-time";
import { runnerPath } from "@/modules/runner/paths";
import {
  RUNNER_STATES,
  RunnerIsolationLabel,
  RunnerLabels,
  RunnerSlots,
  RunnerStateBadge,
} from "@/modules/runner/runner-badges";

interface RunnerRowProps {
  runner: Runner;
  actions?: ReactNode;
  onPool(): void;
}

function RunnerRow({ runner, actions, onPool }: RunnerRowProps) {
  return (
    <TableRow>
      <TableCell>
        <Link href={runnerPath(runner.id)} className="font-medium hover:underline">
          {runner.name}
        </Link>
        <p className="text-2xs whitespace-nowrap text-muted">
          {runner.os}, {runner.arch} · {runner.version}
        </p>
      </TableCell>
      <TableCell>
        <RunnerStateBadge state={runner.state} />
        {runner.drain_requested && <LabelChip className="ml-2">drained by a lead</LabelChip>}
      </TableCell>
      <TableCell>
        <button
          type="button"
          onClick={onPool}
          title={`Only the pool ${runner.pool}`}
          className="min-h-6 whitespace-nowrap hover:underline"
        >
          {runner.pool}
        </button>
      </TableCell>
      <TableCell>
        <RunnerSlots runner={runner} />
      </TableCell>
      <TableCell className="text-xs">
        {runner.programs.map((offered) => (
          <ProgramName key={offered.program} offered={offered} />
        ))}
      </TableCell>
      <TableCell>
        <RunnerIsolationLabel runner={runner} />
      </TableCell>
      <TableCell className="max-w-64">
        <RunnerLabels labels={runner.labels} />
      </TableCell>
      <TableCell className="text-xs whitespace-nowrap text-muted">
        <RelativeTime at={runner.last_seen_at} />
      </TableCell>
      {actions && <TableCell className="text-right whitespace-nowrap">{actions}</TableCell>}
    </TableRow>
  );
}

/** A program, as a link to the agent that stands for it in the pool. Without one, the agent was removed. */
function ProgramName({ offered: { program, version, agent_id } }: { offered: RunnerProgram }) {
  return (
    <span className="block whitespace-nowrap">
      {agent_id ? (
        <Link href={`/agents/detail/?id=${agent_id}`} className="hover:underline">
          {program}
        </Link>
      ) : (
        program
      )}{" "}
      {version && <span className="text-muted">{version}</span>}
    </span>
  );
}

const HEADS = ["Runner", "State", "Pool", "Slots", "Programs", "Isolation", "Labels", "Last seen"];

export interface RunnerFilterValues {
  /** States, separated by commas. */
  readonly state?: string;
  readonly pool?: string;
}

interface RunnerFiltersProps {
  filter: RunnerFilterValues;
  onFilter(changes: RunnerFilterValues): void;
}

function RunnerFilters({ filter, onFilter }: RunnerFiltersProps) {
  return (
    <>
      {filter.pool && (
        <ActionButton small aria-label="Show all pools" onClick={() => onFilter({ pool: undefined })}>
          Pool {filter.pool} <X aria-hidden className="size-3.5" />
        </ActionButton>
      )}
      <FilterMenu
        label="State"
        values={RUNNER_STATES}
        chosen={filter.state?.split(",") ?? []}
        onChange={(chosen) => onFilter({ state: chosen.join(",") || undefined })}
        show={(state) => <RunnerStateBadge state={state} />}
      />
    </>
  );
}

interface RunnerListViewProps extends RunnerFiltersProps {
  runners: PagedState<Runner>;
  /** Absent for callers who may not enrol runners. */
  onEnrol?(): void;
  /** The actions of a runner. Absent for callers who may not change runners. */
  actionsOf?(runner: Runner): ReactNode;
  /** The enrolments that are still valid, for callers who may see them. */
  enrolments: ReactNode;
}

/** The total of the loaded runners that take sessions. */
function summarizeRunners(runners: readonly Runner[]): string {
  const active = runners.filter(({ state }) => state === "active");
  const sum = (count: (runner: Runner) => number) => active.reduce((total, runner) => total + count(runner), 0);
  const [busy, slots] = [sum(({ busy }) => busy), sum(({ slots }) => slots)];
  return `${active.length} of ${runners.length} active · ${busy} of ${slots} slots in use`;
}

export function RunnerListView({ runners, filter, onFilter, onEnrol, actionsOf, enrolments }: RunnerListViewProps) {
  const items = loadedItems(runners);
  const filtered = Boolean(filter.state || filter.pool);
  return (
    <div className="mx-auto flex max-w-[120rem] flex-col gap-3">
      <PageHeader title="Runners" aside={items.length > 0 && !runners.hasNextPage && summarizeRunners(items)}>
        {onEnrol && (
          <ActionButton look="primary" onClick={onEnrol}>
            <Plus aria-hidden className="size-4" /> Enrol a runner
          </ActionButton>
        )}
      </PageHeader>
      <SectionPanel title="Fleet" actions={<RunnerFilters filter={filter} onFilter={onFilter} />}>
        <PagedList state={runners} empty={<NoRunners filtered={filtered} mayEnrol={onEnrol !== undefined} />}>
          {(items) => (
            <DataTable
              label="Runners"
              head={
                <>
                  {HEADS.map((head) => (
                    <HeaderCell key={head}>{head}</HeaderCell>
                  ))}
                  {actionsOf && (
                    <HeaderCell>
                      <span className="sr-only">Actions</span>
                    </HeaderCell>
                  )}
                </>
              }
            >
              {items.map((runner) => (
                <RunnerRow
                  key={runner.id}
                  runner={runner}
                  actions={actionsOf?.(runner)}
                  onPool={() => onFilter({ pool: runner.pool })}
                />
              ))}
            </DataTable>
          )}
        </PagedList>
      </SectionPanel>
      {enrolments}
    </div>
  );
}

function NoRunners({ filtered, mayEnrol }: { filtered: boolean; mayEnrol: boolean }) {
  if (filtered) return <EmptyState title="No runner matches.">Clear the filters to see all of them.</EmptyState>;
  return (
    <EmptyState title="There are no runners yet.">
      A runner takes sessions from ioc and runs coding agents beside your code, without an open port.{" "}
      {mayEnrol ? "Enrol one to get the command that starts it." : "A lead can enrol one."}
    </EmptyState>
  );
}
