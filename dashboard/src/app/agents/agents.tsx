"use client";

import { Plus } from "lucide-react";
import Link from "next/link";
import { useState } from "react";
import { useAgentStats, useAgents } from "@/api/queries/agents";
import { useMay } from "@/api/queries/tenancy";
import type { Agent } from "@/api/schema";
import { Button } from "@/components/button";
import { duration, percent } from "@/components/format";
import { Chip, PageHead, Panel } from "@/components/page";
import { Empty, Failure, Loading } from "@/components/states";
import { Table, Td, Th, Tr } from "@/components/table";
import { Ago } from "@/components/time";
import { AgentStatusSign, LoadSign, TierSign } from "@/modules/agent/signs";
import { Register } from "./register";

function Row({ agent }: { agent: Agent }) {
  return (
    <Tr>
      <Td>
        <Link href={`/agent/?id=${agent.id}`} className="font-medium hover:underline">
          {agent.name}
        </Link>
        <p className="text-2xs text-muted">
          {agent.agent_type} · {agent.kind} · {agent.owner}
        </p>
      </Td>
      <Td>
        <AgentStatusSign status={agent.status} />
        {agent.state !== "active" && <Chip className="ml-2">{agent.state}</Chip>}
        {agent.breaker.state !== "closed" && (
          <Chip className="ml-2">breaker {agent.breaker.state.replace("_", " ")}</Chip>
        )}
      </Td>
      <Td>
        <LoadSign load={agent.load} level={agent.load_level} />
      </Td>
      <Td className="figure text-right text-xs">
        {agent.tasks_in_progress}
        <span className="text-muted">/{agent.capacity ?? "∞"}</span>
      </Td>
      <Td>
        <TierSign tier={agent.tier} />
      </Td>
      <Td className="figure text-right text-xs">
        {agent.figures.success_rate != null ? percent(agent.figures.success_rate) : "–"}
      </Td>
      <Td className="figure text-right text-xs">
        {agent.figures.mean_duration_ms != null ? duration(agent.figures.mean_duration_ms / 1000) : "–"}
      </Td>
      <Td className="text-xs text-muted">
        {agent.last_heartbeat_at ? <Ago at={agent.last_heartbeat_at} /> : "is asked"}
      </Td>
      <Td className="max-w-64">
        <span className="flex gap-1 overflow-hidden">
          {agent.capabilities.slice(0, 2).map((one) => (
            <Chip key={one}>{one.replaceAll("_", " ")}</Chip>
          ))}
          {agent.capabilities.length > 2 && <Chip>+{agent.capabilities.length - 2}</Chip>}
        </span>
      </Td>
    </Tr>
  );
}

const HEADS = ["Agent", "Status", "Load", "Tasks", "Tier", "Success", "Mean time", "Heartbeat", "Capabilities"];
const RIGHT = new Set(["Tasks", "Success", "Mean time"]);

export function Agents() {
  const agents = useAgents();
  const stats = useAgentStats();
  const mayWrite = useMay("agents:write");
  const [making, setMaking] = useState(false);
  return (
    <div className="mx-auto max-w-[120rem]">
      <PageHead
        title="Agents"
        aside={
          stats.data &&
          `${stats.data.available} of ${stats.data.total} can take work · ${stats.data.tasks_in_progress} tasks · room for ${stats.data.capacity}`
        }
      >
        {mayWrite && (
          <Button look="primary" onClick={() => setMaking(true)}>
            <Plus aria-hidden className="size-4" /> Register agent
          </Button>
        )}
      </PageHead>
      <Panel title="Fleet">
        {agents.isPending ? (
          <Loading />
        ) : agents.isLoadingError ? (
          <Failure error={agents.error} retry={() => void agents.refetch()} />
        ) : agents.data.items.length === 0 ? (
          <Empty title="There are no agents.">Register one, or enable one from the marketplace.</Empty>
        ) : (
          <Table
            label="Agents"
            head={HEADS.map((head) => (
              <Th key={head} className={RIGHT.has(head) ? "text-right" : undefined}>
                {head}
              </Th>
            ))}
          >
            {agents.data.items.map((agent) => (
              <Row key={agent.id} agent={agent} />
            ))}
          </Table>
        )}
      </Panel>
      {making && <Register onClose={() => setMaking(false)} />}
    </div>
  );
}
