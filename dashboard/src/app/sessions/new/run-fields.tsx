"use client";

import { useState } from "react";
import type { Environment } from "@/api/fleet-types";
import type { FieldErrors } from "@/api/problem";
import { type Agent, type Model, priorityWordValues, sessionTypeValues } from "@/api/schema";
import { SectionPanel } from "@/components/page-layout";
import { SelectField } from "@/components/select-field";
import { TextAreaField, TextField } from "@/components/text-field";
import { ModelSuggestions } from "@/modules/model/model-suggestions";
import { NO_ENVIRONMENT } from "@/modules/session/session-form";

/** Initial values from the address. */
export interface SessionDefaults {
  readonly agent?: string;
  readonly model?: string;
  readonly parent?: string;
  readonly environment?: string;
}

interface RunFieldsProps {
  agents: readonly Agent[];
  environments: readonly Environment[];
  models: readonly Model[];
  defaults: SessionDefaults;
  errorOf: FieldErrors;
}

/** Which agent runs the session, and how. */
export function RunFields({ agents, environments, models, defaults, errorOf }: RunFieldsProps) {
  return (
    <SectionPanel title="Agent and settings">
      <div className="flex flex-col gap-3.5 p-4">
        <SelectField
          label="Agent"
          hint="By default, the best available agent is chosen."
          error={errorOf("agent_config")}
          name="agent"
          defaultValue={defaults.agent ?? ""}
        >
          <option value="">Choose automatically</option>
          {agents.map((agent) => (
            <option key={agent.id} value={agent.name}>
              {agent.name} ({agent.status})
            </option>
          ))}
        </SelectField>
        {(environments.length > 0 || defaults.environment) && (
          <EnvironmentField environments={environments} defaults={defaults} errorOf={errorOf} />
        )}
        <div className="grid grid-cols-2 gap-3">
          <SelectField
            label="Type"
            error={errorOf("session_type")}
            name="session_type"
            defaultValue="execution"
            options={sessionTypeValues}
          />
          <SelectField
            label="Priority"
            error={errorOf("priority")}
            name="priority"
            defaultValue="medium"
            options={priorityWordValues}
          />
        </div>
        <TextField label="Tags" hint="Separated by commas." error={errorOf("tags")} name="tags" />
        <AdvancedFields models={models} defaults={defaults} errorOf={errorOf} />
      </div>
    </SectionPanel>
  );
}

type EnvironmentFieldProps = Pick<RunFieldsProps, "environments" | "defaults" | "errorOf">;

/** Where the session works. Without a choice, it works in the tenant's default. */
function EnvironmentField({ environments, defaults, errorOf }: EnvironmentFieldProps) {
  const standard = environments.find(({ is_default }) => is_default);
  const asked = defaults.environment;
  const known = environments.some(({ name }) => name === asked);
  return (
    <SelectField
      key={known ? "known" : "asked"}
      label="Environment"
      hint="Its repositories, set-up, secrets, network and permissions."
      error={errorOf("environment")}
      name="environment"
      defaultValue={asked ?? ""}
    >
      <option value="">{standard ? `The default (${standard.name})` : "None"}</option>
      {standard && <option value={NO_ENVIRONMENT}>None</option>}
      {asked && !known && <option value={asked}>{asked}</option>}
      {environments.map(({ id, name }) => (
        <option key={id} value={name}>
          {name}
        </option>
      ))}
    </SelectField>
  );
}

function AdvancedFields({ models, defaults, errorOf }: Pick<RunFieldsProps, "models" | "defaults" | "errorOf">) {
  const [open, setOpen] = useState(defaults.model !== undefined || defaults.parent !== undefined);
  return (
    <details open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary className="text-[0.8125rem] text-muted">More</summary>
      <div className="mt-3 flex flex-col gap-3.5">
        <TextField
          label="Model"
          hint="From the registry, or provider/model. Leave it empty for the agent's own model."
          error={errorOf("model_identifier")}
          mono
          name="model_identifier"
          list="registry"
          defaultValue={defaults.model ?? ""}
        />
        <ModelSuggestions id="registry" models={models} />
        <TextField
          label="Maximum duration, in minutes"
          error={errorOf("max_duration_seconds")}
          mono
          name="minutes"
          type="number"
          min={1}
          max={1440}
          placeholder="60"
        />
        <TextField
          label="Parent"
          hint="The id of the parent session."
          error={errorOf("parent_id")}
          mono
          name="parent_id"
          defaultValue={defaults.parent ?? ""}
        />
        <TextAreaField
          label="Description"
          error={errorOf("description")}
          name="description"
          maxLength={1000}
          rows={3}
        />
      </div>
    </details>
  );
}
