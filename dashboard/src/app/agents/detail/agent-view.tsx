"use client";

import Link from "next/link";
import type { ReactNode } from "react";
import type { Agent, PerformanceView, Session } from "@/api/schema";
import { EmptyState } from "@/components/content-states";
import { formatWords } from "@/components/format";
import type { ListState, LoadState } from "@/components/load-state";
import { LoadedContent } from "@/components/loaded-content";
import { FactList, LabelChip, PageHeader, SectionPanel } from "@/components/page-layout";
import { RelativeTime } from "@/components/relative-time";
import { AgentLoadBadge, AgentStatusBadge, AgentTierBadge } from "@/modules/agent/agent-badges";
import { StatusBadge } from "@/modules/status/status-badge";
import { AgentResults } from "./agent-results";

function AgentCurrentSessions({ sessions }: { sessions: readonly Session[] }) {
  if (sessions.length === 0) return <EmptyState title="It has no session now." />;
  return (
    <ul className="text-[0.8125rem]">
      {sessions.map((session) => (
        <li key={session.id}>
          <Link
            href={`/sessions/detail/?id=${session.id}`}
            className="flex items-center gap-2 border-b border-line px-3 py-1.5 hover:bg-raised"
          >
            <StatusBadge status={session.status} />
            <span className="min-w-0 flex-1 truncate">{session.title}</span>
            <RelativeTime at={session.status_changed_at} className="text-xs text-muted" />
          </Link>
        </li>
      ))}
    </ul>
  );
}

function trustWords(agent: Agent): string {
  if (agent.restricted) return "restricted to whoever registered it, until a lead trusts it";
  if (agent.trusted) return "trusted";
  return agent.on_probation ? "on probation: one session at a time that names no agent" : "proven";
}

function agentFacts(agent: Agent): [string, ReactNode][] {
  return [
    ["State", agent.state],
    ["Load", <AgentLoadBadge key="l" load={agent.load} level={agent.load_level} />],
    ["Tasks", <span key="t" className="figure">{`${agent.tasks_in_progress} of ${agent.capacity ?? "∞"}`}</span>],
    ["Tier", <AgentTierBadge key="r" tier={agent.tier} />],
    ["Circuit breaker", agent.breaker.detail ?? formatWords(agent.breaker.state)],
    ["Trust", trustWords(agent)],
    [
      "Last heartbeat",
      agent.last_heartbeat_at ? (
        <RelativeTime key="h" at={agent.last_heartbeat_at} />
      ) : agent.kind === "eap" ? (
        "none yet"
      ) : (
        "polled instead"
      ),
    ],
    ["Kind", `${agent.kind}, ${agent.owner}`],
    ["Version", agent.version ?? "–"],
    [
      "Address",
      agent.endpoint_url ? (
        <span key="e" className="figure text-xs break-all">
          {agent.endpoint_url}
        </span>
      ) : agent.kind === "eap" ? (
        "none: it claims its work"
      ) : (
        "none: part of the platform"
      ),
    ],
    ["Registered", <RelativeTime key="c" at={agent.created_at} />],
  ];
}

interface AgentViewProps {
  agent: Agent;
  performance: LoadState<PerformanceView>;
  sessions: ListState<Session>;
  actions?: ReactNode;
}

export function AgentView({ agent, performance, sessions, actions }: AgentViewProps) {
  return (
    <div className="mx-auto max-w-[120rem]">
      <PageHeader title={agent.name} aside={<AgentStatusBadge status={agent.status} />}>
        {actions}
      </PageHeader>
      {agent.description && <p className="mb-3 max-w-3xl text-[0.8125rem] text-muted">{agent.description}</p>}
      <div className="grid items-start gap-3 lg:grid-cols-[minmax(0,1fr)_20rem]">
        <div className="flex min-w-0 flex-col gap-3">
          <SectionPanel title="Current sessions">
            <LoadedContent state={sessions} rows={3}>
              {({ items }) => <AgentCurrentSessions sessions={items} />}
            </LoadedContent>
          </SectionPanel>
          <SectionPanel title="Results">
            <LoadedContent state={performance}>
              {(performance) => <AgentResults performance={performance} />}
            </LoadedContent>
          </SectionPanel>
        </div>
        <div className="flex flex-col gap-3">
          <SectionPanel title="Details">
            <FactList items={agentFacts(agent)} />
          </SectionPanel>
          <SectionPanel title="Capabilities and skills">
            <div className="flex flex-wrap gap-1 p-3">
              {[...agent.capabilities, ...agent.skills].map((one) => (
                <LabelChip key={one}>{formatWords(one)}</LabelChip>
              ))}
            </div>
          </SectionPanel>
        </div>
      </div>
    </div>
  );
}
