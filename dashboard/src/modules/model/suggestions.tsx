"use client";

import { useModels } from "@/api/queries/models";
import { registryName } from "./names";

/** What a field that names a model offers: every alias of the registry, and each model's newest version. */
export function ModelSuggestions({ id, aliasesOnly }: { id: string; aliasesOnly?: boolean }) {
  const models = useModels();
  const all = models.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <datalist id={id}>
      {all.flatMap((model) => [
        ...model.aliases.map(({ alias, version }) => (
          <option key={`${model.name}@${alias}`} value={registryName(model.name, alias)}>
            {version}
          </option>
        )),
        ...(aliasesOnly ? [] : [<option key={model.name} value={registryName(model.name, model.newest_version)} />]),
      ])}
    </datalist>
  );
}
