"use client";

import { useState } from "react";
import type { Runner } from "@/api/fleet-types";
import { ActionButton } from "@/components/action-button";
import { ConfirmDialog } from "@/components/confirm-dialog";
import { useAction } from "@/hooks/use-action";
import { agentKeys } from "@/queries/agents";
import { runnerCalls, runnerKeys } from "@/queries/runners";
import { allowedRunnerActions, consequence } from "./runner-actions";

interface RunnerActionBarProps {
  runner: Runner;
  small?: boolean;
  onRemoved?(): void;
}

const INVALIDATES = [runnerKeys.all, agentKeys.all];

/** The buttons that drain, resume and remove a runner, for leads. */
export function RunnerActionBar({ runner, small, onRemoved }: RunnerActionBarProps) {
  const [asked, setAsked] = useState<"drain" | "remove" | null>(null);
  const close = () => setAsked(null);
  const drain = useAction(() => runnerCalls.drain(runner.id), {
    invalidates: INVALIDATES,
    successMessage: `${runner.name} is drained.`,
    onSuccess: close,
  });
  const resume = useAction(() => runnerCalls.resume(runner.id), {
    invalidates: INVALIDATES,
    successMessage: `${runner.name} takes sessions again.`,
  });
  const remove = useAction(() => runnerCalls.remove(runner.id), {
    invalidates: INVALIDATES,
    successMessage: `${runner.name} is removed.`,
    onSuccess: () => {
      close();
      onRemoved?.();
    },
  });
  const allowed = allowedRunnerActions(runner);
  return (
    <span className="inline-flex gap-1.5">
      {allowed.includes("drain") && (
        <ActionButton small={small} aria-label={`Drain ${runner.name}`} onClick={() => setAsked("drain")}>
          Drain
        </ActionButton>
      )}
      {allowed.includes("resume") && (
        <ActionButton
          small={small}
          busy={resume.isPending}
          aria-label={`Resume ${runner.name}`}
          onClick={() => resume.mutate(undefined)}
        >
          Resume
        </ActionButton>
      )}
      <ActionButton small={small} look="danger" aria-label={`Remove ${runner.name}`} onClick={() => setAsked("remove")}>
        Remove
      </ActionButton>
      {asked && (
        <ConfirmDialog
          title={asked === "drain" ? `Drain ${runner.name}?` : `Remove ${runner.name}?`}
          text={consequence(asked, runner)}
          act={asked === "drain" ? "Drain" : "Remove"}
          danger={asked === "remove"}
          busy={drain.isPending || remove.isPending}
          onConfirm={() => (asked === "drain" ? drain : remove).mutate(undefined)}
          onClose={close}
        />
      )}
    </span>
  );
}
