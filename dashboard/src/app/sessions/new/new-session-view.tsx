"use client";

import type { FormEvent } from "react";
import type { Environment } from "@/api/fleet-types";
import { fieldErrors } from "@/api/problem";
import type { Agent, Model, NewSession } from "@/api/schema";
import { ActionButton } from "@/components/action-button";
import { ErrorAlert } from "@/components/content-states";
import { PageHeader } from "@/components/page-layout";
import { readSessionForm } from "@/modules/session/session-form";
import { RunFields, type SessionDefaults } from "./run-fields";
import { TaskFields } from "./task-fields";

interface NewSessionViewProps {
  agents: readonly Agent[];
  environments: readonly Environment[];
  /** The models that the form suggests. */
  models: readonly Model[];
  defaults: SessionDefaults;
  busy: boolean;
  /** Why the last attempt to create the session failed, or null. */
  error: unknown;
  onCreate(body: NewSession): void;
}

export function NewSessionView(props: NewSessionViewProps) {
  const { agents, environments, models, defaults, busy, error, onCreate } = props;
  const errorOf = fieldErrors(error);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const { submitter } = event.nativeEvent as SubmitEvent;
    onCreate(readSessionForm(new FormData(event.currentTarget), submitter?.getAttribute("value") !== "later"));
  };
  return (
    <div className="mx-auto max-w-5xl">
      <PageHeader title="New session" />
      <form onSubmit={submit} className="grid items-start gap-3 lg:grid-cols-[minmax(0,1fr)_20rem]">
        <TaskFields errorOf={errorOf} />
        <div className="flex flex-col gap-3">
          <RunFields
            agents={agents}
            environments={environments}
            models={models}
            defaults={defaults}
            errorOf={errorOf}
          />
          {error !== null && <ErrorAlert error={error} compact />}
          <div className="flex gap-2">
            <ActionButton type="submit" value="now" look="primary" busy={busy} className="flex-1">
              Start session
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
