"use client";

import { useState } from "react";
import { useAgentStats, useAgents } from "@/queries/agents";
import { useHasPermission } from "@/queries/tenancy";
import { AgentListView } from "./agent-list-view";
import { RegisterAgentDialog } from "./register-agent-dialog";

export function AgentListLoader() {
  const agents = useAgents();
  const stats = useAgentStats();
  const mayWrite = useHasPermission("agents:write");
  const [registering, setRegistering] = useState(false);
  return (
    <>
      <AgentListView
        agents={agents}
        stats={stats.data}
        onRegister={mayWrite ? () => setRegistering(true) : undefined}
      />
      {registering && <RegisterAgentDialog onClose={() => setRegistering(false)} />}
    </>
  );
}
