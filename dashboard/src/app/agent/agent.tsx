"use client";

import Link from "next/link";
import { useRouter, useSearchParams } from "next/navigation";
import { useState } from "react";
import { agentCalls, agentKeys, useAgent, usePerformance } from "@/api/queries/agents";
import { useFirstSessions } from "@/api/queries/sessions";
import { useMay } from "@/api/queries/tenancy";
import type { Agent, AgentState } from "@/api/schema";
import { Button } from "@/components/button";
import { Confirm } from "@/components/confirm";
import { duration, percent, shortId, usd, words } from "@/components/format";
import { Chip, Facts, PageHead, Panel } from "@/components/page";
import { Sparkline } from "@/components/sparkline";
import { Empty, Failure, Loading } from "@/components/states";
import { Table, Td, Th, Tr } from "@/components/table";
import { Ago } from "@/components/time";
import { useAct } from "@/hooks/use-act";
import { AgentStatusSign, LoadSign, TierSign } from "@/modules/agent/signs";
import { StatusBadge } from "@/modules/status/badge";

export function AgentPage() {
  const id = useSearchParams().get("id");
  if (!id) return <Empty title="No agent is named." />;
  return <Shown key={id} id={id} />;
}

function Shown({ id }: { id: string }) {
  const agent = useAgent(id);
  if (agent.isPending) return <Loading />;
  if (!agent.data) return <Failure error={agent.error} retry={() => void agent.refetch()} />;
  return <Whole agent={agent.data} />;
}

function Actions({ agent }: { agent: Agent }) {
  const router = useRouter();
  const [asked, setAsked] = useState<"drain" | "force" | null>(null);
  const set = useAct((state: AgentState) => agentCalls.change(agent.id, { state }), { renews: [agentKeys.all] });
  const remove = useAct((force: boolean) => agentCalls.remove(agent.id, force), {
    renews: [agentKeys.all],
    done: (left) => (left ? `${agent.name} takes no more work and leaves when it is done.` : `${agent.name} is gone.`),
    after: (left) => {
      setAsked(null);
      if (!left) router.push("/agents/");
    },
  });
  return (
    <>
      {agent.state === "active" ? (
        <Button busy={set.isPending} onClick={() => set.mutate("maintenance")}>
          Hold for maintenance
        </Button>
      ) : (
        agent.state !== "deregistered" && (
          <Button look="primary" busy={set.isPending} onClick={() => set.mutate("active")}>
            Take into service
          </Button>
        )
      )}
      {agent.state !== "draining" && (
        <Button look="danger" onClick={() => setAsked("drain")}>
          Drain and remove
        </Button>
      )}
      {agent.state === "draining" && (
        <Button look="danger" onClick={() => setAsked("force")}>
          Remove at once
        </Button>
      )}
      {asked && (
        <Confirm
          title={asked === "drain" ? `Drain ${agent.name}?` : `Remove ${agent.name} at once?`}
          text={
            asked === "drain"
              ? `It gets no more work. Its ${agent.tasks_in_progress} tasks are finished first, then it leaves.`
              : `Its ${agent.tasks_in_progress} tasks are taken from it and go on elsewhere, or fail.`
          }
          act={asked === "drain" ? "Drain" : "Remove at once"}
          danger
          busy={remove.isPending}
          onConfirm={() => remove.mutate(asked === "force")}
          onClose={() => setAsked(null)}
        />
      )}
    </>
  );
}

function Results({ id }: { id: string }) {
  const performance = usePerformance(id);
  if (performance.isPending) return <Loading />;
  if (performance.isLoadingError) return <Failure error={performance.error} retry={() => void performance.refetch()} />;
  const { items, summary } = performance.data;
  if (items.length === 0) return <Empty title="It has finished nothing yet." />;
  const oldest = [...items].reverse();
  return (
    <>
      <div className="flex flex-wrap items-end gap-x-8 gap-y-3 p-3">
        {(
          [
            ["Success", summary.success_rate != null ? percent(summary.success_rate) : "–"],
            ["Half take at most", summary.p50_duration_ms != null ? duration(summary.p50_duration_ms / 1000) : "–"],
            ["95 of 100 at most", summary.p95_duration_ms != null ? duration(summary.p95_duration_ms / 1000) : "–"],
            ["Cost per success", summary.cost_per_success_usd ? usd(summary.cost_per_success_usd) : "–"],
          ] as const
        ).map(([label, value]) => (
          <div key={label}>
            <p className="label">{label}</p>
            <p className="figure text-lg font-semibold">{value}</p>
          </div>
        ))}
        <Sparkline
          values={oldest.map((one) => one.duration_ms)}
          label="How long each took"
          className="ml-auto h-10 w-48"
        />
      </div>
      <Table
        label="Results"
        head={
          <>
            <Th>When</Th>
            <Th>Session</Th>
            <Th>Result</Th>
            <Th className="text-right">Took</Th>
            <Th className="text-right">Tokens</Th>
            <Th className="text-right">Cost</Th>
          </>
        }
      >
        {items.map((one) => (
          <Tr key={`${one.at} ${one.session_id}`}>
            <Td className="text-xs text-muted">
              <Ago at={one.at} />
            </Td>
            <Td>
              {one.session_id ? (
                <Link href={`/session/?id=${one.session_id}`} className="figure text-xs hover:underline">
                  {shortId(one.session_id)}
                </Link>
              ) : (
                "deleted"
              )}
            </Td>
            <Td>
              {one.error_code ? (
                <span className="figure text-xs text-danger">{one.error_code}</span>
              ) : (
                percent(one.success)
              )}
            </Td>
            <Td className="figure text-right text-xs">{duration(one.duration_ms / 1000)}</Td>
            <Td className="figure text-right text-xs">{one.tokens}</Td>
            <Td className="figure text-right text-xs">{usd(one.cost_usd)}</Td>
          </Tr>
        ))}
      </Table>
    </>
  );
}

function Working({ id }: { id: string }) {
  const sessions = useFirstSessions({ agent_id: id, status: "running,degraded,paused" }, 50);
  if (sessions.isPending) return <Loading rows={3} />;
  if (sessions.isLoadingError) return <Failure error={sessions.error} />;
  if (sessions.data.items.length === 0) return <Empty title="It works on nothing now." />;
  return (
    <ul className="text-[0.8125rem]">
      {sessions.data.items.map((one) => (
        <li key={one.id}>
          <Link
            href={`/session/?id=${one.id}`}
            className="flex items-center gap-2 border-b border-line px-3 py-1.5 hover:bg-raised"
          >
            <StatusBadge status={one.status} />
            <span className="min-w-0 flex-1 truncate">{one.title}</span>
            <Ago at={one.status_changed_at} className="text-xs text-muted" />
          </Link>
        </li>
      ))}
    </ul>
  );
}

function Whole({ agent }: { agent: Agent }) {
  const mayWrite = useMay("agents:write") && agent.owner === "own";
  const facts: [string, React.ReactNode][] = [
    ["State", agent.state],
    ["Load", <LoadSign key="l" load={agent.load} level={agent.load_level} />],
    ["Tasks", <span key="t" className="figure">{`${agent.tasks_in_progress} of ${agent.capacity ?? "∞"}`}</span>],
    ["Tier", <TierSign key="r" tier={agent.tier} />],
    ["Breaker", words(agent.breaker.state)],
    ["Last heartbeat", agent.last_heartbeat_at ? <Ago key="h" at={agent.last_heartbeat_at} /> : "it is asked instead"],
    ["Kind", `${agent.kind}, ${agent.owner}`],
    ["Version", agent.version ?? "–"],
    [
      "Address",
      <span key="e" className="figure text-xs break-all">
        {agent.endpoint_url ?? "asks for its work"}
      </span>,
    ],
    ["Registered", <Ago key="c" at={agent.created_at} />],
  ];
  return (
    <div className="mx-auto max-w-[120rem]">
      <PageHead title={agent.name} aside={<AgentStatusSign status={agent.status} />}>
        {mayWrite && <Actions agent={agent} />}
      </PageHead>
      {agent.description && <p className="mb-3 max-w-3xl text-[0.8125rem] text-muted">{agent.description}</p>}
      <div className="grid items-start gap-3 lg:grid-cols-[minmax(0,1fr)_20rem]">
        <div className="flex min-w-0 flex-col gap-3">
          <Panel title="Works on">
            <Working id={agent.id} />
          </Panel>
          <Panel title="Results">
            <Results id={agent.id} />
          </Panel>
        </div>
        <div className="flex flex-col gap-3">
          <Panel title="Standing">
            <Facts items={facts} />
          </Panel>
          <Panel title="Capabilities and skills">
            <div className="flex flex-wrap gap-1 p-3">
              {[...agent.capabilities, ...agent.skills].map((one) => (
                <Chip key={one}>{words(one)}</Chip>
              ))}
            </div>
          </Panel>
        </div>
      </div>
    </div>
  );
}
