"use client";

import Link from "next/link";
import type { ReactNode } from "react";
import type { RunnerDetails, RunnerTask } from "@/api/fleet-types";
import { EmptyState } from "@/components/content-states";
import { DataTable, HeaderCell, TableCell, TableRow } from "@/components/data-table";
import { formatCount } from "@/components/format";
import { NoticeBox } from "@/components/notice-box";
import { FactList, PageHeader, SectionPanel } from "@/components/page-layout";
import { RelativeTime } from "@/components/relative-time";
import { RunnerIsolationLabel, RunnerLabels, RunnerSlots, RunnerStateBadge } from "@/modules/runner/runner-badges";
import { phaseTitle } from "@/modules/session/start-phases";

function RunnerTaskRow({ task }: { task: RunnerTask }) {
  return (
    <TableRow>
      <TableCell>
        <Link href={`/sessions/detail/?id=${task.session_id}`} className="font-medium hover:underline">
          {task.session_title ?? "A session without a title"}
        </Link>
      </TableCell>
      <TableCell>{task.program ?? "–"}</TableCell>
      <TableCell>{task.phase ? phaseTitle(task.phase) : <span className="text-muted">not reported</span>}</TableCell>
      <TableCell className="text-xs whitespace-nowrap text-muted">
        {task.leased_at ? <RelativeTime at={task.leased_at} /> : "–"}
      </TableCell>
      <TableCell className="figure text-right text-xs whitespace-nowrap">
        {task.rss_mb == null ? "–" : `${formatCount(Math.round(task.rss_mb))} MiB`}
      </TableCell>
      <TableCell className="figure text-right text-xs whitespace-nowrap">
        {task.cpu_percent == null ? "–" : `${Math.round(task.cpu_percent)}%`}
      </TableCell>
      <TableCell className="text-xs whitespace-nowrap text-muted">
        <RelativeTime at={task.lease_expires_at} />
      </TableCell>
    </TableRow>
  );
}

const HEADS = ["Session", "Program", "Phase", "Since", "Memory", "CPU", "Lease ends"];
const RIGHT = new Set(["Memory", "CPU"]);

/** The sessions of this tenant at the runner. It may also work on sessions of other tenants, which are only counted. */
function RunnerTasks({ runner: { tasks, busy } }: { runner: RunnerDetails }) {
  const others = Math.max(0, busy - tasks.length);
  return (
    <>
      {tasks.length === 0 ? (
        <EmptyState title="It works on no session of this tenant." />
      ) : (
        <DataTable
          label="Sessions at this runner"
          head={HEADS.map((head) => (
            <HeaderCell key={head} className={RIGHT.has(head) ? "text-right" : undefined}>
              {head}
            </HeaderCell>
          ))}
        >
          {tasks.map((task) => (
            <RunnerTaskRow key={task.task_id} task={task} />
          ))}
        </DataTable>
      )}
      {others > 0 && (
        <p className="border-t border-line px-3 py-2 text-xs text-muted">
          {others} further {others === 1 ? "slot is" : "slots are"} used by other tenants.
        </p>
      )}
    </>
  );
}

function runnerFacts(runner: RunnerDetails): [string, ReactNode][] {
  return [
    ["Pool", <PoolLink key="pool" pool={runner.pool} />],
    ["Slots", <RunnerSlots key="slots" runner={runner} />],
    ["Isolation", <RunnerIsolationLabel key="isolation" runner={runner} />],
    ["Last seen", <RelativeTime key="seen" at={runner.last_seen_at} />],
    ["Version", runner.version],
    ["Protocol", runner.protocol_version],
    ["Machine", `${runner.os}, ${runner.arch}`],
    ["Registered", <RelativeTime key="created" at={runner.created_at} />],
    ["Enrolled by", runner.created_by.name],
  ];
}

function PoolLink({ pool }: { pool: string }) {
  return (
    <Link href={`/runners/?pool=${encodeURIComponent(pool)}`} className="underline-offset-2 hover:underline">
      {pool}
    </Link>
  );
}

/** Why the runner takes no sessions. Null while it does. */
function idleReason({ state, drain_requested }: RunnerDetails): string | null {
  if (state === "offline")
    return "The runner has not called for some time. Its sessions continue elsewhere once their leases have ended.";
  if (drain_requested)
    return "A lead drains the runner: it finishes its sessions and takes no new ones until it is resumed.";
  if (state === "draining") return "The runner is about to end: it finishes its sessions and takes no new ones.";
  return null;
}

interface RunnerViewProps {
  runner: RunnerDetails;
  actions?: ReactNode;
}

export function RunnerView({ runner, actions }: RunnerViewProps) {
  const idle = idleReason(runner);
  return (
    <div className="mx-auto flex max-w-[120rem] flex-col gap-3">
      <PageHeader title={runner.name} aside={<RunnerStateBadge state={runner.state} />}>
        {actions}
      </PageHeader>
      {idle && <NoticeBox warns>{idle}</NoticeBox>}
      <div className="grid items-start gap-3 lg:grid-cols-[minmax(0,1fr)_20rem]">
        <SectionPanel title="Current sessions">
          <RunnerTasks runner={runner} />
        </SectionPanel>
        <div className="flex flex-col gap-3">
          <SectionPanel title="Details">
            <FactList items={runnerFacts(runner)} />
          </SectionPanel>
          <SectionPanel title="Programs">
            <FactList
              items={runner.programs.map(({ program, version, agent_id }) => [
                program,
                <span key={program} className="flex justify-end gap-2">
                  <span className="figure text-xs">{version}</span>
                  {agent_id && (
                    <Link href={`/agents/detail/?id=${agent_id}`} className="underline underline-offset-2">
                      agent
                    </Link>
                  )}
                </span>,
              ])}
            />
          </SectionPanel>
          <SectionPanel title="Labels">
            <div className="p-3">
              <RunnerLabels labels={runner.labels} />
            </div>
          </SectionPanel>
        </div>
      </div>
    </div>
  );
}
