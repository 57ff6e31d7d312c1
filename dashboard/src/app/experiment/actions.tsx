"use client";

import { CirclePlay, CircleStop, Trophy } from "lucide-react";
import { type FormEvent, useState } from "react";
import { Refused } from "@/api/problem";
import { experimentCalls, experimentKeys } from "@/api/queries/experiments";
import { modelKeys } from "@/api/queries/models";
import type { Experiment } from "@/api/schema";
import { Button } from "@/components/button";
import { Confirm } from "@/components/confirm";
import { Dialog, FormEnd } from "@/components/dialog";
import { Field } from "@/components/field";
import { Select } from "@/components/select";
import { useAct } from "@/hooks/use-act";

/** The arms that can become what everybody gets: an alias points at versions of the registry alone. */
function promotable(experiment: Experiment) {
  return experiment.arms.filter((arm) => arm.runs_on?.version_id);
}

function Promote({ experiment, winner, onClose }: { experiment: Experiment; winner?: string | null; onClose(): void }) {
  const promote = useAct(
    ({ arm, alias }: { arm: string; alias: string }) => experimentCalls.promote(experiment.id, arm, alias),
    {
      renews: [experimentKeys.all, modelKeys.all],
      done: ({ promoted }) =>
        promoted ? `${promoted.alias} points at ${promoted.model}@${promoted.version} now.` : undefined,
      after: onClose,
      quiet: true,
    },
  );
  const error = promote.error instanceof Refused ? promote.error : null;
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    promote.mutate({ arm: String(form.get("arm")), alias: String(form.get("alias")).trim() });
  };
  return (
    <Dialog
      open
      onOpenChange={onClose}
      title="Promote an arm"
      description="An alias is pointed at its version, and the experiment stops. The alias can be rolled back as ever."
    >
      <form onSubmit={submit} className="flex flex-col gap-4">
        <Field
          label="Arm"
          hint={winner ? `${winner} has won.` : "No arm is known to be better yet."}
          error={error?.field("arm")}
        >
          {(props) => (
            <Select {...props} name="arm" defaultValue={winner ?? undefined}>
              {promotable(experiment).map((arm) => (
                <option key={arm.name} value={arm.name}>
                  {arm.name} ({arm.runs_on?.name}@{arm.runs_on?.version})
                </option>
              ))}
            </Select>
          )}
        </Field>
        <Field label="Alias" hint="Of the model that the arm runs on." error={error?.field("alias")}>
          {(props) => (
            <input
              {...props}
              name="alias"
              required
              maxLength={50}
              pattern="[a-z][a-z0-9_\-]*"
              title="Small letters, figures, _ and -, the first a letter"
              defaultValue="champion"
              className="field figure"
            />
          )}
        </Field>
        <FormEnd mutation={promote} act="Promote" onClose={onClose} />
      </form>
    </Dialog>
  );
}

export function ExperimentActions({ experiment, winner }: { experiment: Experiment; winner?: string | null }) {
  const [asked, setAsked] = useState<"stop" | "promote" | null>(null);
  const [reason, setReason] = useState("");
  const close = () => setAsked(null);
  const start = useAct(() => experimentCalls.start(experiment.id), { renews: [experimentKeys.all], done: "It runs." });
  const stop = useAct(() => experimentCalls.stop(experiment.id, reason.trim() || undefined), {
    renews: [experimentKeys.all],
    after: close,
  });
  const running = experiment.status === "running";
  return (
    <div className="flex flex-wrap items-center gap-2">
      {experiment.status === "draft" && (
        <Button look="primary" busy={start.isPending} onClick={() => start.mutate(undefined)}>
          <CirclePlay aria-hidden className="size-3.5" /> Start
        </Button>
      )}
      {experiment.status !== "draft" && !experiment.promoted && promotable(experiment).length > 0 && (
        <Button look={winner ? "primary" : "plain"} onClick={() => setAsked("promote")}>
          <Trophy aria-hidden className="size-3.5" /> {winner ? "Promote the winner" : "Promote an arm"}
        </Button>
      )}
      {running && (
        <Button look="danger" onClick={() => setAsked("stop")}>
          <CircleStop aria-hidden className="size-3.5" /> Stop
        </Button>
      )}
      {asked === "promote" && <Promote experiment={experiment} winner={winner} onClose={close} />}
      {asked === "stop" && (
        <Confirm
          title={`Stop ${experiment.name}?`}
          text="Sessions that name its target run on the target again. A stopped experiment is not started again: its numbers stand."
          act="Stop"
          danger
          busy={stop.isPending}
          onConfirm={() => stop.mutate(undefined)}
          onClose={close}
        >
          <Field label="Reason">
            {(props) => (
              <input
                {...props}
                value={reason}
                maxLength={1000}
                onChange={(event) => setReason(event.target.value)}
                className="field"
              />
            )}
          </Field>
        </Confirm>
      )}
    </div>
  );
}
