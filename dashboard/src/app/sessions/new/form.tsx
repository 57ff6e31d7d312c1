"use client";

import { useRouter, useSearchParams } from "next/navigation";
import { type FormEvent, useState } from "react";
import { Refused } from "@/api/problem";
import { useAgents } from "@/api/queries/agents";
import { sessionCalls, sessionKeys } from "@/api/queries/sessions";
import {
  type NewSession,
  type PriorityWord,
  priorityWordValues,
  type SessionType,
  sessionTypeValues,
} from "@/api/schema";
import { Button } from "@/components/button";
import { Field } from "@/components/field";
import { PageHead, Panel } from "@/components/page";
import { Select } from "@/components/select";
import { Failure } from "@/components/states";
import { useAct } from "@/hooks/use-act";
import { ModelSuggestions } from "@/modules/model/suggestions";

function given(form: FormData, name: string): string | undefined {
  return String(form.get(name) ?? "").trim() || undefined;
}

/** What the form says, as the API takes it: what is empty is left to its defaults. */
export function draft(form: FormData, start: boolean): NewSession {
  const agent = given(form, "agent");
  const tags = given(form, "tags")
    ?.split(",")
    .map((tag) => tag.trim())
    .filter(Boolean);
  const minutes = given(form, "minutes");
  const place = { repository: given(form, "repository"), ref: given(form, "ref"), directory: given(form, "directory") };
  return {
    title: given(form, "title") ?? "",
    initial_prompt: given(form, "initial_prompt") ?? "",
    description: given(form, "description"),
    session_type: given(form, "session_type") as SessionType | undefined,
    priority: given(form, "priority") as PriorityWord | undefined,
    model_identifier: given(form, "model_identifier"),
    agent_config: agent ? { agent } : undefined,
    max_duration_seconds: minutes ? Math.round(Number(minutes) * 60) : undefined,
    tags: tags?.length ? tags : undefined,
    parent_id: given(form, "parent_id"),
    workspace: Object.values(place).some(Boolean) ? place : undefined,
    start,
  };
}

export function NewSessionForm() {
  const router = useRouter();
  const search = useSearchParams();
  const agents = useAgents();
  const [more, setMore] = useState(search.has("model") || search.has("parent"));
  const create = useAct((body: NewSession) => sessionCalls.create(body), {
    renews: [sessionKeys.all],
    after: (made) => router.push(`/session/?id=${made.id}`),
    quiet: true,
  });
  const error = create.error instanceof Refused ? create.error : null;
  const wrong = (name: string) => error?.field(name);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const { submitter } = event.nativeEvent as SubmitEvent;
    create.mutate(draft(new FormData(event.currentTarget), submitter?.getAttribute("value") !== "later"));
  };

  return (
    <div className="mx-auto max-w-5xl">
      <PageHead title="New session" />
      <form onSubmit={submit} className="grid items-start gap-3 lg:grid-cols-[minmax(0,1fr)_20rem]">
        <Panel title="What is to be done">
          <div className="flex flex-col gap-4 p-4">
            <Field label="Title" error={wrong("title")}>
              {(props) => (
                <input
                  {...props}
                  name="title"
                  required
                  maxLength={200}
                  className="field"
                  placeholder="What will people recognise it by?"
                />
              )}
            </Field>
            <Field
              label="Prompt"
              error={wrong("initial_prompt")}
              hint="What the agent gets, word for word. ⌘ or Ctrl with Enter starts it."
            >
              {(props) => (
                <textarea
                  {...props}
                  name="initial_prompt"
                  required
                  maxLength={10000}
                  rows={10}
                  className="field h-auto! resize-y py-2 leading-relaxed"
                  onKeyDown={(event) => {
                    if (event.key === "Enter" && (event.metaKey || event.ctrlKey))
                      event.currentTarget.form?.requestSubmit();
                  }}
                />
              )}
            </Field>
            <fieldset className="grid gap-4 sm:grid-cols-[2fr_1fr]">
              <legend className="label mb-2">Where it works</legend>
              <Field
                label="Repository"
                error={wrong("workspace.repository")}
                hint="A git URL; empty for a new, empty workspace."
              >
                {(props) => (
                  <input {...props} name="repository" className="field figure text-xs" placeholder="https://…" />
                )}
              </Field>
              <Field label="Branch, tag or commit" error={wrong("workspace.ref")}>
                {(props) => <input {...props} name="ref" className="field figure text-xs" />}
              </Field>
              <Field label="Or a directory of the agent's machine" error={wrong("workspace.directory")}>
                {(props) => <input {...props} name="directory" className="field figure text-xs" />}
              </Field>
            </fieldset>
          </div>
        </Panel>
        <div className="flex flex-col gap-3">
          <Panel title="Who and how">
            <div className="flex flex-col gap-3.5 p-4">
              <Field label="Agent" error={wrong("agent_config")} hint="Without one, the best free one is found.">
                {(props) => (
                  <Select {...props} name="agent" defaultValue={search.get("agent") ?? ""}>
                    <option value="">Let it be found</option>
                    {agents.data?.items.map((agent) => (
                      <option key={agent.id} value={agent.name}>
                        {agent.name} ({agent.status})
                      </option>
                    ))}
                  </Select>
                )}
              </Field>
              <div className="grid grid-cols-2 gap-3">
                <Field label="Type" error={wrong("session_type")}>
                  {(props) => (
                    <Select {...props} name="session_type" defaultValue="execution">
                      {sessionTypeValues.map((type) => (
                        <option key={type}>{type}</option>
                      ))}
                    </Select>
                  )}
                </Field>
                <Field label="Priority" error={wrong("priority")}>
                  {(props) => (
                    <Select {...props} name="priority" defaultValue="medium">
                      {priorityWordValues.map((word) => (
                        <option key={word}>{word}</option>
                      ))}
                    </Select>
                  )}
                </Field>
              </div>
              <Field label="Tags" error={wrong("tags")} hint="Separated by commas.">
                {(props) => <input {...props} name="tags" className="field" />}
              </Field>
              <details open={more} onToggle={(event) => setMore(event.currentTarget.open)}>
                <summary className="text-[0.8125rem] text-muted">More</summary>
                <div className="mt-3 flex flex-col gap-3.5">
                  <Field
                    label="Model"
                    error={wrong("model_identifier")}
                    hint="Of the registry, or provider/model; empty for the agent's own."
                  >
                    {(props) => (
                      <>
                        <input
                          {...props}
                          name="model_identifier"
                          list="registry"
                          defaultValue={search.get("model") ?? ""}
                          className="field figure text-xs"
                        />
                        <ModelSuggestions id="registry" />
                      </>
                    )}
                  </Field>
                  <Field label="At most, in minutes" error={wrong("max_duration_seconds")}>
                    {(props) => (
                      <input
                        {...props}
                        name="minutes"
                        type="number"
                        min={1}
                        max={1440}
                        className="field figure"
                        placeholder="60"
                      />
                    )}
                  </Field>
                  <Field label="Parent" error={wrong("parent_id")} hint="The id of the session that it belongs to.">
                    {(props) => (
                      <input
                        {...props}
                        name="parent_id"
                        defaultValue={search.get("parent") ?? ""}
                        className="field figure text-xs"
                      />
                    )}
                  </Field>
                  <Field label="Description" error={wrong("description")}>
                    {(props) => (
                      <textarea
                        {...props}
                        name="description"
                        maxLength={1000}
                        rows={3}
                        className="field h-auto! py-1.5"
                      />
                    )}
                  </Field>
                </div>
              </details>
            </div>
          </Panel>
          {create.isError && <Failure error={create.error} compact />}
          <div className="flex gap-2">
            <Button type="submit" value="now" look="primary" busy={create.isPending} className="flex-1">
              Start session
            </Button>
            <Button type="submit" value="later" disabled={create.isPending}>
              Create only
            </Button>
          </div>
        </div>
      </form>
    </div>
  );
}
