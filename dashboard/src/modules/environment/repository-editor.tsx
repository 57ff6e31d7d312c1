import { Plus, Trash2 } from "lucide-react";
import { ActionButton, IconButton } from "@/components/action-button";
import { nextKey, removeItem, updateItem } from "@/components/editable-list";
import { SectionPanel } from "@/components/page-layout";
import { TextField } from "@/components/text-field";
import type { RepositoryDraft } from "./environment-draft";
import type { EnvironmentFormPart } from "./form-parts";

const MAX_REPOSITORIES = 10;

export function RepositoryEditor({ draft: { repositories }, onChange, errorOf }: EnvironmentFormPart) {
  const set = (repositories: RepositoryDraft[]) => onChange({ repositories });
  const add = () => set([...repositories, { key: nextKey(repositories), url: "", ref: "", path: "" }]);
  return (
    <SectionPanel
      title="Repositories"
      actions={
        <ActionButton small disabled={repositories.length >= MAX_REPOSITORIES} onClick={add}>
          <Plus aria-hidden className="size-3.5" /> Add repository
        </ActionButton>
      }
    >
      <p className="px-4 pt-3 text-xs text-muted">
        The repository without a folder is the work tree. All others are cloned into folders of it. A repository that a
        session names takes the place of the work tree.
      </p>
      <ul>
        {repositories.map((one, index) => (
          <li key={one.key} className="border-b border-line p-4 last:border-0">
            <fieldset className="grid grid-cols-[minmax(0,1fr)_auto] items-start gap-3 sm:grid-cols-[minmax(0,2fr)_minmax(0,1fr)_minmax(0,1fr)_auto]">
              <legend className="sr-only">Repository {index + 1}</legend>
              <TextField
                label="URL"
                className="max-sm:col-span-2"
                error={errorOf(`repositories[${index}].url`)}
                mono
                required
                maxLength={2048}
                placeholder="https://…"
                value={one.url}
                onChange={(event) => set(updateItem(repositories, one.key, { url: event.target.value }))}
              />
              <TextField
                label="Branch, tag or commit"
                className="max-sm:col-span-2"
                error={errorOf(`repositories[${index}].ref`)}
                mono
                maxLength={255}
                value={one.ref}
                onChange={(event) => set(updateItem(repositories, one.key, { ref: event.target.value }))}
              />
              <TextField
                label="Folder"
                error={errorOf(`repositories[${index}].path`)}
                mono
                maxLength={1024}
                placeholder="libs/core"
                value={one.path}
                onChange={(event) => set(updateItem(repositories, one.key, { path: event.target.value }))}
              />
              <IconButton
                label={`Remove repository ${index + 1}`}
                className="mt-6"
                onClick={() => set(removeItem(repositories, one.key))}
              >
                <Trash2 aria-hidden className="size-4" />
              </IconButton>
            </fieldset>
          </li>
        ))}
      </ul>
      {errorOf("repositories") && <p className="px-4 pb-3 text-xs text-danger">{errorOf("repositories")}</p>}
    </SectionPanel>
  );
}
