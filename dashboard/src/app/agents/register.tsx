"use client";

import { type FormEvent, useState } from "react";
import { Refused } from "@/api/problem";
import { agentCalls, agentKeys } from "@/api/queries/agents";
import {
  type AgentType,
  agentTypeValues,
  type Capability,
  capabilityValues,
  type NewAgent,
  type NewlyMadeAgent,
} from "@/api/schema";
import { Dialog, FormEnd } from "@/components/dialog";
import { Field } from "@/components/field";
import { words } from "@/components/format";
import { SecretOnce } from "@/components/secret-once";
import { Select } from "@/components/select";
import { useAct } from "@/hooks/use-act";

/** Those that people bring; the others are the platform's own. */
const KINDS = { eap: "External Agent Protocol", opencode: "OpenCode server", a2a: "A2A agent" } as const;
type OwnKind = keyof typeof KINDS;

function draft(form: FormData): NewAgent {
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

export function Register({ onClose }: { onClose(): void }) {
  const [kind, setKind] = useState<OwnKind>("eap");
  const [made, setMade] = useState<NewlyMadeAgent | null>(null);
  const register = useAct((body: NewAgent) => agentCalls.register(body), {
    renews: [agentKeys.all],
    done: (agent) => `${agent.name} is registered.`,
    after: (agent) => (agent.auth_token ? setMade(agent) : onClose()),
    quiet: true,
  });
  const error = register.error instanceof Refused ? register.error : null;
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    register.mutate(draft(new FormData(event.currentTarget)));
  };
  if (made?.auth_token) {
    return (
      <Dialog
        open
        onOpenChange={onClose}
        title={`${made.name} is registered`}
        description="It sends this token as X-Agent-Token with everything it asks."
      >
        <SecretOnce label="Token" secret={made.auth_token} onDone={onClose} />
      </Dialog>
    );
  }
  return (
    <Dialog open onOpenChange={onClose} title="Register an agent" wide>
      <form onSubmit={submit} className="grid gap-4 sm:grid-cols-2">
        <Field label="Name" error={error?.field("name")}>
          {(props) => (
            <input
              {...props}
              name="name"
              required
              pattern="[A-Za-z0-9_\-]+"
              maxLength={100}
              title="Letters, figures, - and _"
              className="field figure"
            />
          )}
        </Field>
        <Field label="Kind" error={error?.field("kind")}>
          {(props) => (
            <Select {...props} name="kind" value={kind} onChange={(event) => setKind(event.target.value as OwnKind)}>
              {Object.entries(KINDS).map(([value, label]) => (
                <option key={value} value={value}>
                  {label}
                </option>
              ))}
            </Select>
          )}
        </Field>
        <Field label="Type" error={error?.field("agent_type")}>
          {(props) => (
            <Select {...props} name="agent_type" defaultValue="implementer">
              {agentTypeValues.map((type) => (
                <option key={type}>{type}</option>
              ))}
            </Select>
          )}
        </Field>
        <Field label="Sessions at once" error={error?.field("capacity")}>
          {(props) => (
            <input {...props} name="capacity" type="number" min={1} max={50} placeholder="5" className="field figure" />
          )}
        </Field>
        <Field
          label="Address"
          className="sm:col-span-2"
          error={error?.field("endpoint_url")}
          hint={
            kind === "eap"
              ? "Where its work is pushed to. Without one, it asks for its work itself."
              : "Where it answers."
          }
        >
          {(props) => (
            <input
              {...props}
              name="endpoint_url"
              type="url"
              required={kind !== "eap"}
              placeholder="https://…"
              className="field figure text-xs"
            />
          )}
        </Field>
        {kind !== "eap" && (
          <Field
            label="Secret"
            className="sm:col-span-2"
            error={error?.field("endpoint_secret")}
            hint="What we prove ourselves with there. It is kept sealed and never shown again."
          >
            {(props) => (
              <input {...props} name="endpoint_secret" type="password" autoComplete="off" className="field figure" />
            )}
          </Field>
        )}
        <fieldset className="sm:col-span-2">
          <legend className="text-[0.8125rem] font-medium">Capabilities</legend>
          <div className="mt-1 grid max-h-40 grid-cols-2 gap-x-4 overflow-y-auto rounded-md border border-line p-2 text-[0.8125rem] sm:grid-cols-3">
            {capabilityValues.map((one) => (
              <label key={one} className="flex items-center gap-2 py-0.5">
                <input
                  type="checkbox"
                  name="capability"
                  value={one}
                  defaultChecked={one === "code_generation"}
                  className="accent-accent"
                />
                {words(one)}
              </label>
            ))}
          </div>
          {error?.field("capabilities") && <p className="mt-1 text-xs text-danger">{error.field("capabilities")}</p>}
        </fieldset>
        <Field label="Skills" error={error?.field("skills")} hint="Free words, separated by commas.">
          {(props) => <input {...props} name="skills" className="field" />}
        </Field>
        <Field label="Description" error={error?.field("description")}>
          {(props) => <input {...props} name="description" maxLength={1000} className="field" />}
        </Field>
        <div className="flex flex-col gap-3 sm:col-span-2">
          <FormEnd mutation={register} act="Register" onClose={onClose} />
        </div>
      </form>
    </Dialog>
  );
}
