"use client";

import { CircleCheck, Hourglass, TimerOff } from "lucide-react";
import { type FormEvent, useState } from "react";
import type { CreatedEnrolment, NewEnrolment, Runner } from "@/api/fleet-types";
import { fieldErrors } from "@/api/problem";
import { ActionButton } from "@/components/action-button";
import { cx } from "@/components/class-names";
import { CommandBlock } from "@/components/command-block";
import { ErrorAlert } from "@/components/content-states";
import { FormActions, ModalDialog } from "@/components/modal-dialog";
import { RelativeTime, useNow } from "@/components/relative-time";
import { SelectField } from "@/components/select-field";
import { TextField } from "@/components/text-field";
import { useAction } from "@/hooks/use-action";
import { registeredSince, startCommand } from "@/modules/runner/enrolment";
import { runnerCalls, runnerKeys, useNewestRunners } from "@/queries/runners";

const VALIDITY: readonly [string, number][] = [
  ["10 minutes", 600],
  ["1 hour", 3600],
];

function readEnrolmentForm(form: FormData): NewEnrolment {
  return {
    pool: String(form.get("pool")).trim(),
    uses: form.get("uses") === "many" ? "many" : "one",
    expires_in_seconds: Number(form.get("validity")),
  };
}

interface EnrolRunnerDialogProps {
  /** The pool that the form begins with. */
  pool?: string;
  onClose(): void;
}

/** Creates an enrolment, shows the command that starts a runner with it, and waits for the runner to register. */
export function EnrolRunnerDialog({ pool, onClose }: EnrolRunnerDialogProps) {
  const [created, setCreated] = useState<CreatedEnrolment | null>(null);
  const enrol = useAction((body: NewEnrolment) => runnerCalls.enrol(body), {
    invalidates: [runnerKeys.enrolments],
    onSuccess: setCreated,
    showsErrorItself: true,
  });
  if (created) return <EnrolmentCommandDialog enrolment={created} onClose={onClose} />;
  const errorOf = fieldErrors(enrol.error);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    enrol.mutate(readEnrolmentForm(new FormData(event.currentTarget)));
  };
  return (
    <ModalDialog
      open
      onOpenChange={onClose}
      title="Enrol a runner"
      description="A machine registers with a token. It needs no open port: it fetches its sessions."
    >
      <form onSubmit={submit} className="flex flex-col gap-4">
        <TextField
          label="Pool"
          hint="Sessions of one pool may run on any of its runners. A new name creates a pool."
          error={errorOf("pool")}
          mono
          name="pool"
          required
          maxLength={40}
          pattern="[a-z0-9][a-z0-9\-]*"
          title="Lower-case letters, digits and hyphens, starting with a letter or a digit"
          defaultValue={pool ?? "default"}
        />
        <div className="grid grid-cols-2 gap-3">
          <SelectField label="For" error={errorOf("uses")} name="uses" defaultValue="one">
            <option value="one">One runner</option>
            <option value="many">Any number of runners</option>
          </SelectField>
          <SelectField label="Valid for" error={errorOf("expires_in_seconds")} name="validity" defaultValue="3600">
            {VALIDITY.map(([label, seconds]) => (
              <option key={seconds} value={seconds}>
                {label}
              </option>
            ))}
          </SelectField>
        </div>
        <FormActions mutation={enrol} act="Create the command" onClose={onClose} />
      </form>
    </ModalDialog>
  );
}

function EnrolmentCommandDialog({ enrolment, onClose }: { enrolment: CreatedEnrolment; onClose(): void }) {
  const runners = useNewestRunners(enrolment.pool);
  const registered = registeredSince(enrolment, runners.data?.items ?? []);
  return (
    <ModalDialog
      open
      onOpenChange={onClose}
      title={`Start a runner of ${enrolment.pool}`}
      description="Run this on the machine that is to work on sessions. The command is shown once, and contains a secret."
      wide
    >
      <div className="flex flex-col gap-3 text-[0.8125rem]">
        <CommandBlock label="Command" command={startCommand(window.location.origin, enrolment.token)} />
        {runners.data ? (
          <RegistrationStatus enrolment={enrolment} registered={registered} />
        ) : (
          runners.error !== null && <ErrorAlert error={runners.error} retry={() => void runners.refetch()} compact />
        )}
        <div className="flex justify-end">
          <ActionButton look={registered.length > 0 ? "primary" : "plain"} onClick={onClose}>
            Done
          </ActionButton>
        </div>
      </div>
    </ModalDialog>
  );
}

interface RegistrationStatusProps {
  enrolment: CreatedEnrolment;
  registered: readonly Runner[];
}

/** Whether a runner has registered with the enrolment. Screen readers announce it when it changes. */
function RegistrationStatus({ enrolment: { expires_at }, registered }: RegistrationStatusProps) {
  const expired = useNow() > Date.parse(expires_at);
  const waiting = registered.length === 0;
  const [Icon, tone] = !waiting
    ? ([CircleCheck, "text-good"] as const)
    : expired
      ? ([TimerOff, "text-danger"] as const)
      : ([Hourglass, "text-muted"] as const);
  return (
    <div className="flex items-start gap-2.5 rounded-md border border-line bg-raised p-2.5">
      <Icon aria-hidden className={cx("mt-0.5 size-4 shrink-0", tone)} />
      <div>
        <div role="status" aria-label="Registration">
          {waiting && !expired && <p>Waiting for the runner to register.</p>}
          {waiting && expired && (
            <p>The token has expired, and no runner has registered. Close this and enrol the runner again.</p>
          )}
          {registered.map(({ id, name, slots, isolation }) => (
            <p key={id}>
              <span className="font-medium">{name}</span> has registered: {slots} {slots === 1 ? "slot" : "slots"},
              isolation {isolation}.
            </p>
          ))}
        </div>
        {waiting && !expired && (
          <p className="text-xs text-muted">
            The token expires <RelativeTime at={expires_at} />.
          </p>
        )}
      </div>
    </div>
  );
}
