"use client";

import { type FormEvent, type ReactNode, useRef, useState } from "react";
import { fieldErrors } from "@/api/problem";
import type { DatasetPreview, DatasetRecipe, NewTrainingJob } from "@/api/schema";
import { ActionButton } from "@/components/action-button";
import { ErrorAlert, LoadingState } from "@/components/content-states";
import { PageHeader, SectionPanel } from "@/components/page-layout";
import { DatasetPreviewPanel } from "@/modules/fine-tuning/dataset-preview";
import { formReader, readJobForm, readRecipe } from "@/modules/fine-tuning/job-form";
import { HyperParameterFields } from "./hyper-parameter-fields";
import { RecipeFields } from "./recipe-fields";
import { TargetFields, type TrainingTargets } from "./target-fields";

interface PreviewState {
  readonly data?: DatasetPreview;
  readonly isPending: boolean;
  readonly error: unknown;
}

interface NewTrainingJobViewProps extends TrainingTargets {
  preview: PreviewState;
  onPreview(recipe: DatasetRecipe): void;
  busy: boolean;
  /** Why the last attempt to create the job failed, or null. */
  error: unknown;
  onCreate(body: NewTrainingJob, start: boolean): void;
  consent: ReactNode;
}

export function NewTrainingJobView(props: NewTrainingJobViewProps) {
  const { preview, onPreview, busy, error, onCreate, consent, ...targets } = props;
  const form = useRef<HTMLFormElement>(null);
  const [extraError, setExtraError] = useState<string>();
  const [changed, setChanged] = useState(false);
  const apiErrorOf = fieldErrors(error);
  const errorOf = (name: string) => (name === "parameters.extra" && extraError) || apiErrorOf(name);
  const showPreview = () => {
    if (!form.current?.reportValidity()) return;
    setChanged(false);
    onPreview(readRecipe(formReader(new FormData(form.current))));
  };
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const { submitter } = event.nativeEvent as SubmitEvent;
    setExtraError(undefined);
    try {
      const body = readJobForm(formReader(new FormData(event.currentTarget)));
      onCreate(body, submitter?.getAttribute("value") !== "later");
    } catch (problem) {
      if (!(problem instanceof SyntaxError)) throw problem;
      setExtraError(`A JSON object is expected: ${problem.message}`);
    }
  };
  return (
    <div className="mx-auto max-w-[100rem]">
      <PageHeader title="New fine-tuning job" />
      <form
        ref={form}
        onSubmit={submit}
        onChange={() => setChanged(true)}
        className="grid items-start gap-3 lg:grid-cols-[minmax(0,1fr)_26rem]"
      >
        <div className="flex min-w-0 flex-col gap-3">
          <TargetFields {...targets} errorOf={errorOf} />
          <RecipeFields errorOf={errorOf} />
          <HyperParameterFields errorOf={errorOf} />
        </div>
        <div className="flex min-w-0 flex-col gap-3 lg:sticky lg:top-15">
          {consent}
          <PreviewSection preview={preview} changed={changed} onPreview={showPreview} />
          {error !== null && <ErrorAlert error={error} compact />}
          <div className="flex gap-2">
            <ActionButton type="submit" value="now" look="primary" busy={busy} className="flex-1">
              Start training
            </ActionButton>
            <ActionButton type="submit" value="later" disabled={busy}>
              Create only
            </ActionButton>
          </div>
        </div>
      </form>
    </div>
  );
}

interface PreviewSectionProps {
  preview: PreviewState;
  /** Whether the form was changed after the preview. */
  changed: boolean;
  onPreview(): void;
}

function PreviewSection({ preview, changed, onPreview }: PreviewSectionProps) {
  return (
    <SectionPanel
      title="Dataset preview"
      actions={
        <ActionButton small busy={preview.isPending} onClick={onPreview}>
          {preview.data ? "Refresh the preview" : "Preview the dataset"}
        </ActionButton>
      }
    >
      <div className="p-3" aria-live="polite">
        {preview.isPending ? (
          <LoadingState rows={4} className="p-0" />
        ) : preview.error !== null ? (
          <ErrorAlert error={preview.error} compact />
        ) : preview.data ? (
          <>
            {changed && <p className="mb-3 text-xs text-muted">The form was changed after this preview.</p>}
            <DatasetPreviewPanel preview={preview.data} />
          </>
        ) : (
          <p className="text-[0.8125rem] text-muted">
            A preview applies the recipe to the newest sessions. It shows how many samples they give, what is left out
            and why, and what is redacted. It stores nothing.
          </p>
        )}
      </div>
    </SectionPanel>
  );
}
