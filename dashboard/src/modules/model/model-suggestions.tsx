import type { Model } from "@/api/schema";
import { registryName } from "./names";

interface ModelSuggestionsProps {
  id: string;
  models: readonly Model[];
  aliasesOnly?: boolean;
}

/** Suggestions for a field that refers to a model: all aliases in the registry, and the newest version of each model. */
export function ModelSuggestions({ id, models, aliasesOnly }: ModelSuggestionsProps) {
  return (
    <datalist id={id}>
      {models.flatMap((model) => [
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
