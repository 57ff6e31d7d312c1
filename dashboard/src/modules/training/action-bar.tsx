"use client";

import { CirclePlay, CircleX, RefreshCw, RotateCcw } from "lucide-react";
import { useState } from "react";
import { trainingCalls, trainingKeys } from "@/api/queries/training";
import type { TrainingJob } from "@/api/schema";
import { Button } from "@/components/button";
import { Confirm } from "@/components/confirm";
import { useAct } from "@/hooks/use-act";
import { allowedOfJob, TRAINING_ACTIONS, type TrainingVerb } from "./actions";

const ICONS = { start: CirclePlay, cancel: CircleX, retry: RotateCcw } as const;

export function TrainingActions({ job }: { job: TrainingJob }) {
  const [asked, setAsked] = useState<TrainingVerb | null>(null);
  const act = useAct((verb: TrainingVerb) => TRAINING_ACTIONS[verb].run(job.id), {
    renews: [trainingKeys.all],
    after: () => setAsked(null),
  });
  const poll = useAct(() => trainingCalls.poll(), {
    renews: [trainingKeys.all],
    done: ({ updated_count }) =>
      updated_count === 0 ? "Nothing is to be looked at now." : "The providers are being looked at.",
  });
  const action = asked && TRAINING_ACTIONS[asked];
  return (
    <div className="flex flex-wrap items-center gap-2">
      {job.status === "running" && (
        <Button busy={poll.isPending} onClick={() => poll.mutate(undefined)} title="Ask the provider how far it is">
          <RefreshCw aria-hidden className="size-3.5" /> Look now
        </Button>
      )}
      {allowedOfJob(job).map((verb) => {
        const { label, asks, danger } = TRAINING_ACTIONS[verb];
        const Icon = ICONS[verb];
        return (
          <Button
            key={verb}
            look={danger ? "danger" : "primary"}
            busy={act.isPending && act.variables === verb}
            onClick={() => (asks ? setAsked(verb) : act.mutate(verb))}
          >
            <Icon aria-hidden className="size-3.5" /> {label}
          </Button>
        );
      })}
      {asked && action && (
        <Confirm
          title={`${action.label}?`}
          text={action.asks}
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
