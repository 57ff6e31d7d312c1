"use client";

import { useMemo, useState } from "react";
import type { Environment, EnvironmentPatch } from "@/api/fleet-types";
import { ActionButton } from "@/components/action-button";
import { NoticeBox } from "@/components/notice-box";
import { PageHeader } from "@/components/page-layout";
import {
  changedFields,
  draftOfEnvironment,
  type EnvironmentDraft,
  readEnvironmentDraft,
} from "@/modules/environment/environment-draft";
import { EnvironmentForm } from "@/modules/environment/environment-form";

interface EditEnvironmentViewProps {
  environment: Environment;
  /** The version that the environment has now. It is higher if somebody else has saved a change since. */
  newestVersion: number;
  /** The names of the secrets that exist. Absent while they are not known. */
  secretNames?: readonly string[];
  busy: boolean;
  /** Why the last attempt to save the environment failed, or null. */
  error: unknown;
  onSave(body: EnvironmentPatch): void;
  onLeave(): void;
}

export function EditEnvironmentView(props: EditEnvironmentViewProps) {
  const { environment, newestVersion, secretNames, busy, error, onSave, onLeave } = props;
  const initial = useMemo(() => draftOfEnvironment(environment), [environment]);
  const [unchanged, setUnchanged] = useState(false);
  const submit = (draft: EnvironmentDraft) => {
    const patch = changedFields(readEnvironmentDraft(initial), readEnvironmentDraft(draft));
    setUnchanged(Object.keys(patch).length === 0);
    if (Object.keys(patch).length > 0) onSave(patch);
  };
  return (
    <div className="mx-auto flex max-w-4xl flex-col gap-3">
      <PageHeader title={`Edit ${environment.name}`} aside={`Version ${environment.version}`} />
      <NoticeBox warns={newestVersion > environment.version}>
        {newestVersion > environment.version
          ? `Somebody has saved version ${newestVersion} since you opened this page. Your changes cannot be saved over it: reload the page, and make them again.`
          : "A change creates a version. Sessions that exist keep the version that they were created with."}
      </NoticeBox>
      <EnvironmentForm
        initial={initial}
        secretNames={secretNames}
        act="Save"
        busy={busy}
        error={error}
        onSubmit={submit}
      >
        {unchanged && (
          <p role="status" className="mr-2 self-center text-[0.8125rem] text-muted">
            Nothing has changed.
          </p>
        )}
        <ActionButton onClick={onLeave}>Cancel</ActionButton>
      </EnvironmentForm>
    </div>
  );
}
