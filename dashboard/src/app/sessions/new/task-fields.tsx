"use client";

import type { FieldErrors } from "@/api/problem";
import { SectionPanel } from "@/components/page-layout";
import { TextAreaField, TextField } from "@/components/text-field";

/** What the session works on, and where. */
export function TaskFields({ errorOf }: { errorOf: FieldErrors }) {
  return (
    <SectionPanel title="Task">
      <div className="flex flex-col gap-4 p-4">
        <TextField
          label="Title"
          error={errorOf("title")}
          name="title"
          required
          maxLength={200}
          placeholder="A short name for lists and notifications"
        />
        <TextAreaField
          label="Prompt"
          hint="The agent receives this text as it is. ⌘ or Ctrl with Enter starts the session."
          error={errorOf("initial_prompt")}
          name="initial_prompt"
          required
          maxLength={100000}
          rows={10}
          onKeyDown={(event) => {
            if (event.key === "Enter" && (event.metaKey || event.ctrlKey)) event.currentTarget.form?.requestSubmit();
          }}
        />
        <fieldset className="grid gap-4 sm:grid-cols-[2fr_1fr]">
          <legend className="label mb-2">Workspace</legend>
          <TextField
            label="Repository"
            hint="A git URL. Leave it empty for a new, empty workspace."
            error={errorOf("workspace.repository")}
            mono
            name="repository"
            placeholder="https://…"
          />
          <TextField label="Branch, tag or commit" error={errorOf("workspace.ref")} mono name="ref" />
          <TextField
            label="Or a directory on the agent's machine"
            error={errorOf("workspace.directory")}
            mono
            name="directory"
          />
        </fieldset>
      </div>
    </SectionPanel>
  );
}
