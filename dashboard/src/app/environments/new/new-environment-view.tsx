"use client";

import type { NewEnvironment } from "@/api/fleet-types";
import { PageHeader } from "@/components/page-layout";
import { BLANK_ENVIRONMENT, readEnvironmentDraft } from "@/modules/environment/environment-draft";
import { EnvironmentForm } from "@/modules/environment/environment-form";

interface NewEnvironmentViewProps {
  /** The names of the secrets that exist. Absent while they are not known. */
  secretNames?: readonly string[];
  busy: boolean;
  /** Why the last attempt to create the environment failed, or null. */
  error: unknown;
  onCreate(body: NewEnvironment): void;
}

export function NewEnvironmentView({ secretNames, busy, error, onCreate }: NewEnvironmentViewProps) {
  return (
    <div className="mx-auto max-w-4xl">
      <PageHeader title="New environment" />
      <EnvironmentForm
        initial={BLANK_ENVIRONMENT}
        secretNames={secretNames}
        act="Create environment"
        busy={busy}
        error={error}
        onSubmit={(draft) => onCreate(readEnvironmentDraft(draft))}
      />
    </div>
  );
}
