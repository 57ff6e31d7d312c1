"use client";

import { Plus, Trash2 } from "lucide-react";
import { useRouter } from "next/navigation";
import { type FormEvent, useState } from "react";
import { Refused } from "@/api/problem";
import { experimentCalls, experimentKeys } from "@/api/queries/experiments";
import { useMay } from "@/api/queries/tenancy";
import { type GuardedMetric, guardedMetricValues, type NewExperiment, sessionTypeValues } from "@/api/schema";
import { Button, IconButton } from "@/components/button";
import { Field } from "@/components/field";
import { PageHead, Panel } from "@/components/page";
import { Select } from "@/components/select";
import { Empty, Failure } from "@/components/states";
import { toast } from "@/components/toast";
import { useAct } from "@/hooks/use-act";
import { type ArmDraft, type GuardrailDraft, newExperiment } from "@/modules/experiment/draft";
import { METRICS, share } from "@/modules/experiment/status";
import { ModelSuggestions } from "@/modules/model/suggestions";

type Wrong = (name: string) => string | undefined;

const MOST_ARMS = 8;
const MOST_GUARDRAILS = 10;

interface ListProps<Draft> {
  all: readonly Draft[];
  onChange(all: Draft[]): void;
  wrong: Wrong;
}

function changed<Draft extends { key: number }>(all: readonly Draft[], key: number, more: Partial<Draft>): Draft[] {
  return all.map((one) => (one.key === key ? { ...one, ...more } : one));
}

const nextKey = (all: readonly { key: number }[]) => Math.max(0, ...all.map((one) => one.key)) + 1;

function Arms({ all, onChange, wrong }: ListProps<ArmDraft>) {
  const shares = all.map((arm) => ({ weight: Number(arm.weight) || 1 }));
  const add = () => onChange([...all, { key: nextKey(all), name: "", model: "", weight: "" }]);
  return (
    <Panel
      title="Arms"
      actions={
        <Button small disabled={all.length >= MOST_ARMS} onClick={add}>
          <Plus aria-hidden className="size-3.5" /> Add arm
        </Button>
      }
    >
      <ModelSuggestions id="arm-models" />
      <ul>
        {all.map((arm, at) => (
          <li key={arm.key} className="border-b border-line p-4 last:border-0">
            <fieldset className="grid grid-cols-[minmax(0,1fr)_5rem_auto] items-start gap-3 sm:grid-cols-[10rem_minmax(0,1fr)_6rem_auto]">
              <legend className="sr-only">Arm {at + 1}</legend>
              <Field label="Name" className="max-sm:col-span-3" error={wrong(`arms[${at}].name`)}>
                {(props) => (
                  <input
                    {...props}
                    required
                    maxLength={50}
                    pattern="[a-z][a-z0-9_\-]*"
                    title="Small letters, figures, _ and -, the first a letter"
                    value={arm.name}
                    onChange={(event) => onChange(changed(all, arm.key, { name: event.target.value }))}
                    className="field figure text-xs"
                  />
                )}
              </Field>
              <Field label="Model" className="max-sm:col-span-3" error={wrong(`arms[${at}].model`)}>
                {(props) => (
                  <input
                    {...props}
                    required
                    maxLength={200}
                    list="arm-models"
                    placeholder="registry/name@alias, or provider/model"
                    value={arm.model}
                    onChange={(event) => onChange(changed(all, arm.key, { model: event.target.value }))}
                    className="field figure text-xs"
                  />
                )}
              </Field>
              <Field
                label="Weight"
                hint={share(shares[at]?.weight ?? 1, shares)}
                error={wrong(`arms[${at}].weight`)}
                className="max-sm:col-start-1"
              >
                {(props) => (
                  <input
                    {...props}
                    type="number"
                    min={1}
                    max={1000}
                    placeholder="1"
                    value={arm.weight}
                    onChange={(event) => onChange(changed(all, arm.key, { weight: event.target.value }))}
                    className="field figure text-xs"
                  />
                )}
              </Field>
              <IconButton
                label={`Remove arm ${at + 1}`}
                disabled={all.length <= 2}
                className="mt-6 max-sm:col-start-3"
                onClick={() => onChange(all.filter((one) => one.key !== arm.key))}
              >
                <Trash2 aria-hidden className="size-4" />
              </IconButton>
            </fieldset>
          </li>
        ))}
      </ul>
      {wrong("arms") && <p className="px-4 pb-3 text-xs text-danger">{wrong("arms")}</p>}
    </Panel>
  );
}

function Guardrails({ all, onChange, wrong }: ListProps<GuardrailDraft>) {
  const add = () => onChange([...all, { key: nextKey(all), metric: "success_rate", limit: "", min_sessions: "" }]);
  return (
    <Panel
      title="Guardrails"
      actions={
        <Button small disabled={all.length >= MOST_GUARDRAILS} onClick={add}>
          <Plus aria-hidden className="size-3.5" /> Add guardrail
        </Button>
      }
    >
      {all.length === 0 && (
        <p className="p-4 text-[0.8125rem] text-muted">
          Without any, an arm runs on however it does. A guardrail is a fuse: an arm whose mean breaks it is stopped,
          and its share goes to the others.
        </p>
      )}
      <ul>
        {all.map((one, at) => (
          <li key={one.key} className="border-b border-line p-4 last:border-0">
            <fieldset className="grid grid-cols-[minmax(0,1fr)_minmax(0,1fr)_auto] items-start gap-3 sm:grid-cols-[minmax(0,1fr)_8rem_10rem_auto]">
              <legend className="sr-only">Guardrail {at + 1}</legend>
              <Field label="Figure" className="max-sm:col-span-3" error={wrong(`guardrails[${at}].metric`)}>
                {(props) => (
                  <Select
                    {...props}
                    value={one.metric}
                    onChange={(event) =>
                      onChange(changed(all, one.key, { metric: event.target.value as GuardedMetric }))
                    }
                  >
                    {guardedMetricValues.map((metric) => (
                      <option key={metric} value={metric}>
                        {METRICS[metric].label}
                      </option>
                    ))}
                  </Select>
                )}
              </Field>
              <Field
                label={METRICS[one.metric].keeps === "at least" ? "At least" : "At most"}
                hint={one.metric === "success_rate" ? "0 to 1" : undefined}
                error={wrong(`guardrails[${at}].limit`)}
              >
                {(props) => (
                  <input
                    {...props}
                    type="number"
                    required
                    min={0}
                    max={one.metric === "success_rate" ? 1 : undefined}
                    step="any"
                    value={one.limit}
                    onChange={(event) => onChange(changed(all, one.key, { limit: event.target.value }))}
                    className="field figure text-xs"
                  />
                )}
              </Field>
              <Field label="After sessions" error={wrong(`guardrails[${at}].min_sessions`)}>
                {(props) => (
                  <input
                    {...props}
                    type="number"
                    min={1}
                    max={100_000}
                    placeholder="20"
                    value={one.min_sessions}
                    onChange={(event) => onChange(changed(all, one.key, { min_sessions: event.target.value }))}
                    className="field figure text-xs"
                  />
                )}
              </Field>
              <IconButton
                label={`Remove guardrail ${at + 1}`}
                className="mt-6"
                onClick={() => onChange(all.filter((other) => other.key !== one.key))}
              >
                <Trash2 aria-hidden className="size-4" />
              </IconButton>
            </fieldset>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function About({ wrong }: { wrong: Wrong }) {
  return (
    <Panel title="What is compared, and on which sessions">
      <div className="grid gap-4 p-4 sm:grid-cols-2">
        <Field label="Name" error={wrong("name")} hint="Sessions may name experiment/<name> as their model.">
          {(props) => (
            <input
              {...props}
              name="name"
              required
              maxLength={100}
              pattern="[A-Za-z0-9][A-Za-z0-9_.\-]*"
              title="Letters, figures, . - and _"
              className="field figure text-xs"
            />
          )}
        </Field>
        <Field label="Description" error={wrong("description")}>
          {(props) => <input {...props} name="description" maxLength={1000} className="field" />}
        </Field>
        <Field
          label="Target"
          error={wrong("target")}
          hint="registry/name@alias: sessions that name it take part while it runs."
        >
          {(props) => (
            <>
              <input {...props} name="target" maxLength={200} list="targets" className="field figure text-xs" />
              <ModelSuggestions id="targets" aliasesOnly />
            </>
          )}
        </Field>
        <Field label="Of the target's sessions" error={wrong("session_type")}>
          {(props) => (
            <Select {...props} name="session_type">
              <option value="">all types</option>
              {sessionTypeValues.map((type) => (
                <option key={type}>{type}</option>
              ))}
            </Select>
          )}
        </Field>
        <p className="text-xs text-muted sm:col-span-2">
          Arms are compared by their success rate: of each tree of sessions, the first that ended counts. Cost, duration
          and tokens are shown beside it, and can be guarded.
        </p>
      </div>
    </Panel>
  );
}

async function make({ body, start }: { body: NewExperiment; start: boolean }) {
  const made = await experimentCalls.create(body);
  if (!start) return made;
  return experimentCalls.start(made.id).catch((error: Error) => {
    toast(`The experiment was made, but not started. ${error.message}`, true);
    return made;
  });
}

export function NewExperimentForm() {
  const router = useRouter();
  const mayWrite = useMay("models:write");
  const [arms, setArms] = useState<ArmDraft[]>([
    { key: 1, name: "control", model: "", weight: "" },
    { key: 2, name: "variant", model: "", weight: "" },
  ]);
  const [guardrails, setGuardrails] = useState<GuardrailDraft[]>([]);
  const create = useAct(make, {
    renews: [experimentKeys.all],
    after: (made) => router.push(`/experiment/?id=${made.id}`),
    quiet: true,
  });
  const error = create.error instanceof Refused ? create.error : null;
  const wrong = (name: string) => error?.field(name);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const { submitter } = event.nativeEvent as SubmitEvent;
    const body = newExperiment(new FormData(event.currentTarget), arms, guardrails);
    create.mutate({ body, start: submitter?.getAttribute("value") === "start" });
  };
  if (!mayWrite) return <Empty title="Experiments are made by leads and admins.">You can watch those there are.</Empty>;
  return (
    <div className="mx-auto max-w-4xl">
      <PageHead title="New experiment" />
      <form onSubmit={submit} className="flex flex-col gap-3">
        <About wrong={wrong} />
        <Arms all={arms} onChange={setArms} wrong={wrong} />
        <Guardrails all={guardrails} onChange={setGuardrails} wrong={wrong} />
        {create.isError && <Failure error={create.error} compact />}
        <div className="flex justify-end gap-2">
          <Button type="submit" value="later" disabled={create.isPending}>
            Create draft
          </Button>
          <Button type="submit" value="start" look="primary" busy={create.isPending}>
            Create and start
          </Button>
        </div>
      </form>
    </div>
  );
}
