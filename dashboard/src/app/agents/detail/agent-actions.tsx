"use client";

import { useRouter } from "next/navigation";
import { useState } from "react";
import type { Agent, AgentState } from "@/api/schema";
import { ActionButton } from "@/components/action-button";
import { ConfirmDialog } from "@/components/confirm-dialog";
import { useAction } from "@/hooks/use-action";
import { agentCalls, agentKeys } from "@/queries/agents";

export function AgentActions({ agent }: { agent: Agent }) {
  const router = useRouter();
  const [asked, setAsked] = useState<"drain" | "force" | null>(null);
  const set = useAction((state: AgentState) => agentCalls.change(agent.id, { state }), {
    invalidates: [agentKeys.all],
  });
  const remove = useAction((force: boolean) => agentCalls.remove(agent.id, force), {
    invalidates: [agentKeys.all],
    successMessage: (left) =>
      left ? `${agent.name} takes no more work and is removed when it has finished.` : `${agent.name} is removed.`,
    onSuccess: (left) => {
      setAsked(null);
      if (!left) router.push("/agents/");
    },
  });
  return (
    <>
      {agent.state === "active" ? (
        <ActionButton busy={set.isPending} onClick={() => set.mutate("maintenance")}>
          Set to maintenance
        </ActionButton>
      ) : (
        agent.state !== "deregistered" && (
          <ActionButton look="primary" busy={set.isPending} onClick={() => set.mutate("active")}>
            Activate
          </ActionButton>
        )
      )}
      {agent.state !== "draining" && (
        <ActionButton look="danger" onClick={() => setAsked("drain")}>
          Drain and remove
        </ActionButton>
      )}
      {agent.state === "draining" && (
        <ActionButton look="danger" onClick={() => setAsked("force")}>
          Remove now
        </ActionButton>
      )}
      {asked && (
        <ConfirmDialog
          title={asked === "drain" ? `Drain ${agent.name}?` : `Remove ${agent.name} now?`}
          text={
            asked === "drain"
              ? `It gets no new work and is removed once its ${agent.tasks_in_progress} tasks are finished.`
              : `Its ${agent.tasks_in_progress} tasks move to other agents, or fail.`
          }
          act={asked === "drain" ? "Drain" : "Remove now"}
          danger
          busy={remove.isPending}
          onConfirm={() => remove.mutate(asked === "force")}
          onClose={() => setAsked(null)}
        />
      )}
    </>
  );
}
