"use client";

import { type FormEvent, useState } from "react";
import { fieldErrors } from "@/api/problem";
import type { Model, NewExperiment } from "@/api/schema";
import { ActionButton } from "@/components/action-button";
import { ErrorAlert } from "@/components/content-states";
import { PageHeader } from "@/components/page-layout";
import { type ArmDraft, type GuardrailDraft, readExperimentForm } from "@/modules/experiment/experiment-form";
import { ArmEditor } from "./arm-editor";
import { ExperimentFields } from "./experiment-fields";
import { GuardrailEditor } from "./guardrail-editor";

const INITIAL_ARMS: readonly ArmDraft[] = [
  { key: 1, name: "control", model: "", weight: "" },
  { key: 2, name: "variant", model: "", weight: "" },
];

interface NewExperimentViewProps {
  /** The models that the form suggests. */
  models: readonly Model[];
  busy: boolean;
  /** Why the last attempt to create the experiment failed, or null. */
  error: unknown;
  onCreate(body: NewExperiment, start: boolean): void;
}

export function NewExperimentView({ models, busy, error, onCreate }: NewExperimentViewProps) {
  const [arms, setArms] = useState<readonly ArmDraft[]>(INITIAL_ARMS);
  const [guardrails, setGuardrails] = useState<readonly GuardrailDraft[]>([]);
  const errorOf = fieldErrors(error);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const { submitter } = event.nativeEvent as SubmitEvent;
    const body = readExperimentForm(new FormData(event.currentTarget), arms, guardrails);
    onCreate(body, submitter?.getAttribute("value") === "start");
  };
  return (
    <div className="mx-auto max-w-4xl">
      <PageHeader title="New experiment" />
      <form onSubmit={submit} className="flex flex-col gap-3">
        <ExperimentFields models={models} errorOf={errorOf} />
        <ArmEditor items={arms} onChange={setArms} models={models} errorOf={errorOf} />
        <GuardrailEditor items={guardrails} onChange={setGuardrails} errorOf={errorOf} />
        {error !== null && <ErrorAlert error={error} compact />}
        <div className="flex justify-end gap-2">
          <ActionButton type="submit" value="later" disabled={busy}>
            Create draft
          </ActionButton>
          <ActionButton type="submit" value="start" look="primary" busy={busy}>
            Create and start
          </ActionButton>
        </div>
      </form>
    </div>
  );
}
