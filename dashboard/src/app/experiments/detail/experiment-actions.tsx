"use client";

import { CirclePlay, CircleStop, Trophy } from "lucide-react";
import { type FormEvent, useState } from "react";
import { fieldErrors } from "@/api/problem";
import type { Experiment } from "@/api/schema";
import { ActionButton } from "@/components/action-button";
import { ConfirmDialog } from "@/components/confirm-dialog";
import { FormActions, ModalDialog } from "@/components/modal-dialog";
import { SelectField } from "@/components/select-field";
import { TextField } from "@/components/text-field";
import { useAction } from "@/hooks/use-action";
import { experimentCalls, experimentKeys } from "@/queries/experiments";
import { modelKeys } from "@/queries/models";

/** The arms that can be promoted: an alias can only point to a version in the registry. */
function promotableArms(experiment: Experiment) {
  return experiment.arms.filter((arm) => arm.runs_on?.version_id);
}

function PromoteArmDialog({
  experiment,
  winner,
  onClose,
}: {
  experiment: Experiment;
  winner?: string | null;
  onClose(): void;
}) {
  const promote = useAction(
    ({ arm, alias }: { arm: string; alias: string }) => experimentCalls.promote(experiment.id, arm, alias),
    {
      invalidates: [experimentKeys.all, modelKeys.all],
      successMessage: ({ promoted }) =>
        promoted ? `${promoted.alias} now points to ${promoted.model}@${promoted.version}.` : undefined,
      onSuccess: onClose,
      showsErrorItself: true,
    },
  );
  const errorOf = fieldErrors(promote.error);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    promote.mutate({ arm: String(form.get("arm")), alias: String(form.get("alias")).trim() });
  };
  return (
    <ModalDialog
      open
      onOpenChange={onClose}
      title="Promote an arm"
      description="An alias is moved to the version of this arm, and the experiment stops. The alias can be rolled back."
    >
      <form onSubmit={submit} className="flex flex-col gap-4">
        <SelectField
          label="Arm"
          hint={winner ? `${winner} is the winner.` : "There is no winner yet."}
          error={errorOf("arm")}
          name="arm"
          defaultValue={winner ?? undefined}
        >
          {promotableArms(experiment).map((arm) => (
            <option key={arm.name} value={arm.name}>
              {arm.name} ({arm.runs_on?.name}@{arm.runs_on?.version})
            </option>
          ))}
        </SelectField>
        <TextField
          label="Alias"
          hint="An alias of the model that the arm runs on."
          error={errorOf("alias")}
          mono
          name="alias"
          required
          maxLength={50}
          pattern="[a-z][a-z0-9_\-]*"
          title="Lower-case letters, digits, _ and -, starting with a letter"
          defaultValue="champion"
        />
        <FormActions mutation={promote} act="Promote" onClose={onClose} />
      </form>
    </ModalDialog>
  );
}

export function ExperimentActions({ experiment, winner }: { experiment: Experiment; winner?: string | null }) {
  const [asked, setAsked] = useState<"stop" | "promote" | null>(null);
  const [reason, setReason] = useState("");
  const close = () => setAsked(null);
  const start = useAction(() => experimentCalls.start(experiment.id), {
    invalidates: [experimentKeys.all],
    successMessage: "The experiment is started.",
  });
  const stop = useAction(() => experimentCalls.stop(experiment.id, reason.trim() || undefined), {
    invalidates: [experimentKeys.all],
    onSuccess: close,
  });
  const running = experiment.status === "running";
  return (
    <div className="flex flex-wrap items-center gap-2">
      {experiment.status === "draft" && (
        <ActionButton look="primary" busy={start.isPending} onClick={() => start.mutate(undefined)}>
          <CirclePlay aria-hidden className="size-3.5" /> Start
        </ActionButton>
      )}
      {experiment.status !== "draft" && !experiment.promoted && promotableArms(experiment).length > 0 && (
        <ActionButton look={winner ? "primary" : "plain"} onClick={() => setAsked("promote")}>
          <Trophy aria-hidden className="size-3.5" /> {winner ? "Promote the winner" : "Promote an arm"}
        </ActionButton>
      )}
      {running && (
        <ActionButton look="danger" onClick={() => setAsked("stop")}>
          <CircleStop aria-hidden className="size-3.5" /> Stop
        </ActionButton>
      )}
      {asked === "promote" && <PromoteArmDialog experiment={experiment} winner={winner} onClose={close} />}
      {asked === "stop" && (
        <ConfirmDialog
          title={`Stop ${experiment.name}?`}
          text="Sessions that refer to its target run on the target again. A stopped experiment keeps its results and cannot be started again."
          act="Stop"
          danger
          busy={stop.isPending}
          onConfirm={() => stop.mutate(undefined)}
          onClose={close}
        >
          <TextField
            label="Reason"
            value={reason}
            maxLength={1000}
            onChange={(event) => setReason(event.target.value)}
          />
        </ConfirmDialog>
      )}
    </div>
  );
}
