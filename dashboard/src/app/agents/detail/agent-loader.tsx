"use client";

import { useSearchParams } from "next/navigation";
import { EmptyState } from "@/components/content-states";
import { LoadedContent } from "@/components/loaded-content";
import { useAgent, useAgentPerformance } from "@/queries/agents";
import { useFirstSessions } from "@/queries/sessions";
import { useHasPermission } from "@/queries/tenancy";
import { AgentActions } from "./agent-actions";
import { AgentView } from "./agent-view";

export function AgentRoute() {
  const id = useSearchParams().get("id");
  if (!id) return <EmptyState title="No agent is selected.">Choose one from the list of agents.</EmptyState>;
  return <AgentLoader key={id} id={id} />;
}

function AgentLoader({ id }: { id: string }) {
  const agent = useAgent(id);
  const performance = useAgentPerformance(id);
  const sessions = useFirstSessions({ agent_id: id, status: "running,degraded,paused" }, 50);
  const mayWrite = useHasPermission("agents:write");
  return (
    <LoadedContent state={agent}>
      {(agent) => (
        <AgentView
          agent={agent}
          performance={performance}
          sessions={sessions}
          actions={mayWrite && agent.owner === "own" && <AgentActions agent={agent} />}
        />
      )}
    </LoadedContent>
  );
}
