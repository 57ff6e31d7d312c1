"use client";

import { type FormEvent, type ReactNode, useState } from "react";
import type { MinimumIsolation } from "@/api/fleet-types";
import { fieldErrors, partErrors } from "@/api/problem";
import { ActionButton } from "@/components/action-button";
import { ErrorAlert } from "@/components/content-states";
import { SectionPanel } from "@/components/page-layout";
import { SelectField } from "@/components/select-field";
import { TextAreaField, TextField } from "@/components/text-field";
import { AgentSettingsFields } from "./agent-settings-fields";
import { DEFAULT_TIMEOUT, draftErrors, type EnvironmentDraft } from "./environment-draft";
import type { EnvironmentFormPart } from "./form-parts";
import { NetworkFields } from "./network-fields";
import { RepositoryEditor } from "./repository-editor";
import { SecretPicker } from "./secret-picker";
import { ServerEditor } from "./server-editor";
import { ISOLATION_TITLES } from "./titles";
import { VariableRows } from "./variable-rows";

interface EnvironmentFormProps {
  initial: EnvironmentDraft;
  /** The names of the secrets that exist. Absent while they are not known. */
  secretNames?: readonly string[];
  act: string;
  busy: boolean;
  /** Why the last attempt failed, or null. */
  error: unknown;
  onSubmit(draft: EnvironmentDraft): void;
  /** Further buttons, before the one that submits the form. */
  children?: ReactNode;
}

/** All fields of an environment, with the messages of the API beside the fields that it refused. */
export function EnvironmentForm(props: EnvironmentFormProps) {
  const { initial, secretNames, act, busy, error, onSubmit, children } = props;
  const [draft, setDraft] = useState(initial);
  const [checked, setChecked] = useState<Readonly<Record<string, string>>>({});
  const sent = fieldErrors(error);
  const sentParts = partErrors(error);
  const part: EnvironmentFormPart = {
    draft,
    onChange: (patch) => setDraft((before) => ({ ...before, ...patch })),
    errorOf: (name) => checked[name] ?? sent(name),
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const wrong = draftErrors(draft);
    setChecked(wrong);
    if (Object.keys(wrong).length === 0) onSubmit(draft);
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-3">
      <IdentityFields {...part} />
      <RepositoryEditor {...part} />
      <SetupFields {...part} />
      <SectionPanel title="Variables and secrets">
        <div className="flex flex-col gap-4 p-4">
          <VariableRows
            field="variables"
            owner="the environment"
            items={draft.variables}
            onChange={(variables) => part.onChange({ variables })}
            errorOf={part.errorOf}
          />
          {part.errorOf("variables") && <p className="text-xs text-danger">{part.errorOf("variables")}</p>}
          <SecretPicker {...part} known={secretNames} />
        </div>
      </SectionPanel>
      <NetworkFields {...part} domainErrorOf={sentParts} />
      <AgentSettingsFields {...part} errorOf={(name) => part.errorOf(name) ?? sentParts(name)} />
      <ServerEditor {...part} errorOf={(name) => part.errorOf(name)} />
      <LimitFields {...part} />
      {error !== null && <ErrorAlert error={error} compact />}
      {Object.keys(checked).length > 0 && (
        <p role="alert" className="text-[0.8125rem] text-danger">
          Nothing was sent: correct the fields that are marked above.
        </p>
      )}
      <div className="flex justify-end gap-2">
        {children}
        <ActionButton type="submit" look="primary" busy={busy}>
          {act}
        </ActionButton>
      </div>
    </form>
  );
}

function IdentityFields({ draft, onChange, errorOf }: EnvironmentFormPart) {
  return (
    <SectionPanel title="Environment">
      <div className="grid items-start gap-4 p-4 sm:grid-cols-2">
        <TextField
          label="Name"
          hint="Sessions name the environment by it."
          error={errorOf("name")}
          mono
          required
          maxLength={100}
          pattern="[A-Za-z0-9][A-Za-z0-9_.\-]*"
          title="Letters, digits, _ . and -, starting with a letter or a digit"
          value={draft.name}
          onChange={(event) => onChange({ name: event.target.value })}
        />
        <label className="flex items-center gap-2 text-[0.8125rem] sm:mt-7">
          <input
            type="checkbox"
            checked={draft.isDefault}
            onChange={(event) => onChange({ isDefault: event.target.checked })}
            className="accent-accent"
          />
          The tenant's default, for sessions that name none
        </label>
      </div>
    </SectionPanel>
  );
}

function SetupFields({ draft, onChange, errorOf }: EnvironmentFormPart) {
  return (
    <SectionPanel title="Set-up">
      <div className="grid items-start gap-4 p-4 sm:grid-cols-[minmax(0,1fr)_10rem]">
        <TextAreaField
          label="Script"
          hint="A shell script that prepares the work tree before the agent starts. If it fails, the session fails with its last lines."
          error={errorOf("setup.script") ?? errorOf("setup")}
          mono
          rows={6}
          placeholder="npm ci"
          value={draft.script}
          onChange={(event) => onChange({ script: event.target.value })}
        />
        <TextField
          label="Timeout, in seconds"
          error={errorOf("setup.timeout_seconds")}
          mono
          type="number"
          min={1}
          max={3600}
          placeholder={String(DEFAULT_TIMEOUT)}
          value={draft.timeout}
          onChange={(event) => onChange({ timeout: event.target.value })}
        />
      </div>
    </SectionPanel>
  );
}

function LimitFields({ draft, onChange, errorOf }: EnvironmentFormPart) {
  return (
    <SectionPanel title="Limits and isolation">
      <div className="grid items-start gap-4 p-4 sm:grid-cols-3">
        <TextField
          label="CPUs"
          error={errorOf("cpu")}
          mono
          type="number"
          min={0.1}
          max={8}
          step="any"
          placeholder="the runner's default"
          value={draft.cpu}
          onChange={(event) => onChange({ cpu: event.target.value })}
        />
        <TextField
          label="Memory, in MiB"
          error={errorOf("memory_mb")}
          mono
          type="number"
          min={100}
          max={8192}
          placeholder="the runner's default"
          value={draft.memory}
          onChange={(event) => onChange({ memory: event.target.value })}
        />
        <SelectField
          label="Isolation"
          error={errorOf("minimum_isolation")}
          value={draft.isolation}
          onChange={(event) => onChange({ isolation: event.target.value as MinimumIsolation })}
        >
          {Object.entries(ISOLATION_TITLES).map(([isolation, title]) => (
            <option key={isolation} value={isolation}>
              {title}
            </option>
          ))}
        </SelectField>
      </div>
    </SectionPanel>
  );
}
