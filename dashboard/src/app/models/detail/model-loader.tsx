"use client";

import { useState } from "react";
import type { Model } from "@/api/schema";
import { EmptyState } from "@/components/content-states";
import { LoadedContent } from "@/components/loaded-content";
import { useQueryState } from "@/hooks/use-query-state";
import { useModel, useModelVersions } from "@/queries/models";
import { useHasPermission } from "@/queries/tenancy";
import { AliasLoader } from "./alias-loader";
import { ModelView } from "./model-view";
import { VersionComparisonLoader, VersionDetailsLoader } from "./version-loaders";

export function ModelRoute() {
  const [query] = useQueryState();
  const name = query.get("name");
  if (!name) return <EmptyState title="No model is selected.">Choose one from the registry.</EmptyState>;
  return <ModelLoader key={name} name={name} />;
}

function ModelLoader({ name }: { name: string }) {
  const model = useModel(name);
  return (
    <LoadedContent state={model} rows={10}>
      {(model) => <ModelVersionsLoader model={model} />}
    </LoadedContent>
  );
}

function ModelVersionsLoader({ model }: { model: Model }) {
  const [query, setQuery] = useQueryState();
  const [showArchived, setShowArchived] = useState(false);
  const versions = useModelVersions(model.name, showArchived);
  const mayRun = useHasPermission("sessions:write");
  const version = query.get("version") ?? model.newest_version;
  const [a, b] = [query.get("a"), query.get("b")];
  const closeComparison = () => setQuery({ a: undefined, b: undefined });
  return (
    <ModelView
      model={model}
      version={version}
      versions={versions}
      showArchived={showArchived}
      onShowArchived={setShowArchived}
      onCompare={(a, b) => setQuery({ a, b })}
      mayRun={mayRun}
      comparison={a && b && <VersionComparisonLoader name={model.name} a={a} b={b} onClose={closeComparison} />}
      details={<VersionDetailsLoader key={version} model={model} version={version} />}
      aliases={<AliasLoader model={model} />}
    />
  );
}
