"use client";

import { type FormEvent, useState } from "react";
import type { FieldErrors } from "@/api/problem";
import { fieldErrors } from "@/api/problem";
import {
  type AgentType,
  agentTypeValues,
  type Capability,
  type CreatedAgent,
  capabilityValues,
  type NewAgent,
} from "@/api/schema";
import { formatWords } from "@/components/format";
import { FormActions, ModalDialog } from "@/components/modal-dialog";
import { OneTimeSecret } from "@/components/one-time-secret";
import { SelectField } from "@/components/select-field";
import { TextField } from "@/components/text-field";
import { useAction } from "@/hooks/use-action";
import { agentCalls, agentKeys } from "@/queries/agents";

/** The kinds that people can register; agents of the other kinds are built in. */
const KINDS = { eap: "External Agent Protocol", a2a: "A2A agent" } as const;
type OwnKind = keyof typeof KINDS;

function readAgentForm(form: FormData): NewAgent {
  const text = (name: string) => String(form.get(name) ?? "").trim() || undefined;
  return {
    name: text("name") ?? "",
    kind: text("kind") as OwnKind,
    agent_type: text("agent_type") as AgentType,
    capabilities: form.getAll("capability") as Capability[],
    skills:
      text("skills")
        ?.split(",")
        .map((skill) => skill.trim())
        .filter(Boolean) ?? [],
    endpoint_url: text("endpoint_url"),
    endpoint_secret: text("endpoint_secret"),
    capacity: text("capacity") ? Number(text("capacity")) : undefined,
    description: text("description"),
  };
}

export function RegisterAgentDialog({ onClose }: { onClose(): void }) {
  const [made, setMade] = useState<CreatedAgent | null>(null);
  const register = useAction((body: NewAgent) => agentCalls.register(body), {
    invalidates: [agentKeys.all],
    successMessage: (agent) => `${agent.name} is registered.`,
    onSuccess: (agent) => (agent.auth_token ? setMade(agent) : onClose()),
    showsErrorItself: true,
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    register.mutate(readAgentForm(new FormData(event.currentTarget)));
  };
  if (made?.auth_token) {
    return (
      <ModalDialog
        open
        onOpenChange={onClose}
        title={`${made.name} is registered`}
        description="The agent sends this token in the header X-Agent-Token with every request."
      >
        <OneTimeSecret label="Token" secret={made.auth_token} onDone={onClose} />
      </ModalDialog>
    );
  }
  return (
    <ModalDialog open onOpenChange={onClose} title="Register an agent" wide>
      <form onSubmit={submit} className="grid gap-4 sm:grid-cols-2">
        <AgentFields errorOf={fieldErrors(register.error)} />
        <div className="flex flex-col gap-3 sm:col-span-2">
          <FormActions mutation={register} act="Register" onClose={onClose} />
        </div>
      </form>
    </ModalDialog>
  );
}

function AgentFields({ errorOf }: { errorOf: FieldErrors }) {
  return (
    <>
      <TextField
        label="Name"
        error={errorOf("name")}
        mono
        name="name"
        required
        pattern="[A-Za-z0-9_\-]+"
        maxLength={100}
        title="Letters, digits, - and _"
      />
      <ConnectionFields errorOf={errorOf} />
      <SelectField
        label="Type"
        error={errorOf("agent_type")}
        name="agent_type"
        defaultValue="implementer"
        options={agentTypeValues}
      />
      <TextField
        label="Concurrent sessions"
        error={errorOf("capacity")}
        mono
        name="capacity"
        type="number"
        min={1}
        max={50}
        placeholder="5"
      />
      <CapabilityFields error={errorOf("capabilities")} />
      <TextField label="Skills" hint="Any words, separated by commas." error={errorOf("skills")} name="skills" />
      <TextField label="Description" error={errorOf("description")} name="description" maxLength={1000} />
    </>
  );
}

/** How ioc reaches the agent. Only an agent of the External Agent Protocol can do without an address. */
function ConnectionFields({ errorOf }: { errorOf: FieldErrors }) {
  const [kind, setKind] = useState<OwnKind>("eap");
  const external = kind === "eap";
  return (
    <>
      <SelectField
        label="Kind"
        error={errorOf("kind")}
        name="kind"
        value={kind}
        onChange={(event) => setKind(event.target.value as OwnKind)}
      >
        {Object.entries(KINDS).map(([value, label]) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </SelectField>
      <TextField
        label="Address"
        className="sm:col-span-2"
        hint={
          external
            ? "The URL that tasks are pushed to. Without one, the agent fetches its tasks."
            : "The URL that the agent answers at."
        }
        error={errorOf("endpoint_url")}
        mono
        name="endpoint_url"
        type="url"
        required={!external}
        placeholder="https://…"
      />
      {!external && (
        <TextField
          label="Secret"
          className="sm:col-span-2"
          hint="The credential for this address. It is stored encrypted and never shown again."
          error={errorOf("endpoint_secret")}
          mono
          name="endpoint_secret"
          type="password"
          autoComplete="off"
        />
      )}
    </>
  );
}

function CapabilityFields({ error }: { error?: string }) {
  return (
    <fieldset className="sm:col-span-2">
      <legend className="text-[0.8125rem] font-medium">Capabilities</legend>
      <div className="mt-1 grid max-h-40 grid-cols-2 gap-x-4 overflow-y-auto rounded-md border border-line p-2 text-[0.8125rem] sm:grid-cols-3">
        {capabilityValues.map((capability) => (
          <label key={capability} className="flex items-center gap-2 py-0.5">
            <input
              type="checkbox"
              name="capability"
              value={capability}
              defaultChecked={capability === "code_generation"}
              className="accent-accent"
            />
            {formatWords(capability)}
          </label>
        ))}
      </div>
      {error && <p className="mt-1 text-xs text-danger">{error}</p>}
    </fieldset>
  );
}
