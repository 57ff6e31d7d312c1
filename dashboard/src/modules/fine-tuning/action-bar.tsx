"use client";

import { CirclePlay, CircleX, RefreshCw, RotateCcw } from "lucide-react";
import { useState } from "react";
import type { TrainingJob } from "@/api/schema";
import { ActionButton } from "@/components/action-button";
import { ConfirmDialog } from "@/components/confirm-dialog";
import { useAction } from "@/hooks/use-action";
import { trainingCalls, trainingKeys } from "@/queries/fine-tuning";
import { allowedJobActions, TRAINING_ACTIONS, type TrainingVerb } from "./actions";

const ICONS = { start: CirclePlay, cancel: CircleX, retry: RotateCcw } as const;

export function TrainingActionBar({ job }: { job: TrainingJob }) {
  const [asked, setAsked] = useState<TrainingVerb | null>(null);
  const act = useAction((verb: TrainingVerb) => trainingCalls[verb](job.id), {
    invalidates: [trainingKeys.all],
    onSuccess: () => setAsked(null),
  });
  const poll = useAction(() => trainingCalls.poll(), {
    invalidates: [trainingKeys.all],
    successMessage: ({ updated_count }) =>
      updated_count === 0 ? "No job is due for polling." : "The providers are being polled.",
  });
  const action = asked && TRAINING_ACTIONS[asked];
  return (
    <div className="flex flex-wrap items-center gap-2">
      {job.status === "running" && (
        <ActionButton
          busy={poll.isPending}
          onClick={() => poll.mutate(undefined)}
          title="Ask the provider for the current progress"
        >
          <RefreshCw aria-hidden className="size-3.5" /> Poll now
        </ActionButton>
      )}
      {allowedJobActions(job).map((verb) => {
        const { label, confirmation, danger } = TRAINING_ACTIONS[verb];
        const Icon = ICONS[verb];
        return (
          <ActionButton
            key={verb}
            look={danger ? "danger" : "primary"}
            busy={act.isPending && act.variables === verb}
            onClick={() => (confirmation ? setAsked(verb) : act.mutate(verb))}
          >
            <Icon aria-hidden className="size-3.5" /> {label}
          </ActionButton>
        );
      })}
      {asked && action && (
        <ConfirmDialog
          title={`${action.label}?`}
          text={action.confirmation}
          act={action.label}
          danger={action.danger}
          busy={act.isPending}
          onConfirm={() => act.mutate(asked)}
          onClose={() => setAsked(null)}
        />
      )}
    </div>
  );
}
