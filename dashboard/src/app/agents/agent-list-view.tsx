"use client";

import { Plus } from "lucide-react";
import Link from "next/link";
import type { Agent, AgentStats } from "@/api/schema";
import { ActionButton } from "@/components/action-button";
import { EmptyState } from "@/components/content-states";
import { DataTable, HeaderCell, TableCell, TableRow } from "@/components/data-table";
import { formatDuration, formatPercent } from "@/components/format";
import type { ListState } from "@/components/load-state";
import { LoadedContent } from "@/components/loaded-content";
import { LabelChip, PageHeader, SectionPanel } from "@/components/page-layout";
import { RelativeTime } from "@/components/relative-time";
import { AgentLoadBadge, AgentStatusBadge, AgentTierBadge } from "@/modules/agent/agent-badges";

function AgentRow({ agent }: { agent: Agent }) {
  return (
    <TableRow>
      <TableCell>
        <Link href={`/agents/detail/?id=${agent.id}`} className="font-medium hover:underline">
          {agent.name}
        </Link>
        <p className="text-2xs text-muted">
          {agent.agent_type} · {agent.kind} · {agent.owner}
        </p>
      </TableCell>
      <TableCell>
        <AgentStatusBadge status={agent.status} />
        {agent.state !== "active" && <LabelChip className="ml-2">{agent.state}</LabelChip>}
        {agent.breaker.state !== "closed" && (
          <LabelChip className="ml-2">breaker {agent.breaker.state.replace("_", " ")}</LabelChip>
        )}
        {agent.on_probation && <LabelChip className="ml-2">on probation</LabelChip>}
      </TableCell>
      <TableCell>
        <AgentLoadBadge load={agent.load} level={agent.load_level} />
      </TableCell>
      <TableCell className="figure text-right text-xs">
        {agent.tasks_in_progress}
        <span className="text-muted">/{agent.capacity ?? "∞"}</span>
      </TableCell>
      <TableCell>
        <AgentTierBadge tier={agent.tier} />
      </TableCell>
      <TableCell className="figure text-right text-xs">
        {agent.figures.success_rate != null ? formatPercent(agent.figures.success_rate) : "–"}
      </TableCell>
      <TableCell className="figure text-right text-xs">
        {agent.figures.mean_duration_ms != null ? formatDuration(agent.figures.mean_duration_ms / 1000) : "–"}
      </TableCell>
      <TableCell className="text-xs text-muted">
        {agent.last_heartbeat_at ? <RelativeTime at={agent.last_heartbeat_at} /> : "polled"}
      </TableCell>
      <TableCell className="max-w-64">
        <span className="flex gap-1 overflow-hidden">
          {agent.capabilities.slice(0, 2).map((one) => (
            <LabelChip key={one}>{one.replaceAll("_", " ")}</LabelChip>
          ))}
          {agent.capabilities.length > 2 && <LabelChip>+{agent.capabilities.length - 2}</LabelChip>}
        </span>
      </TableCell>
    </TableRow>
  );
}

const HEADS = ["Agent", "Status", "Load", "Tasks", "Tier", "Success", "Mean time", "Heartbeat", "Capabilities"];
const RIGHT = new Set(["Tasks", "Success", "Mean time"]);

interface AgentListViewProps {
  agents: ListState<Agent>;
  stats?: AgentStats;
  /** Absent for callers who may not register agents. */
  onRegister?(): void;
}

export function AgentListView({ agents, stats, onRegister }: AgentListViewProps) {
  return (
    <div className="mx-auto max-w-[120rem]">
      <PageHeader
        title="Agents"
        aside={
          stats &&
          `${stats.available} of ${stats.total} available · ${stats.tasks_in_progress} tasks · capacity ${stats.capacity}`
        }
      >
        {onRegister && (
          <ActionButton look="primary" onClick={onRegister}>
            <Plus aria-hidden className="size-4" /> Register agent
          </ActionButton>
        )}
      </PageHeader>
      <SectionPanel title="Fleet">
        <LoadedContent state={agents}>
          {({ items }) =>
            items.length === 0 ? (
              <EmptyState title="There are no agents.">Register one, or enable one from the marketplace.</EmptyState>
            ) : (
              <DataTable
                label="Agents"
                head={HEADS.map((head) => (
                  <HeaderCell key={head} className={RIGHT.has(head) ? "text-right" : undefined}>
                    {head}
                  </HeaderCell>
                ))}
              >
                {items.map((agent) => (
                  <AgentRow key={agent.id} agent={agent} />
                ))}
              </DataTable>
            )
          }
        </LoadedContent>
      </SectionPanel>
    </div>
  );
}
