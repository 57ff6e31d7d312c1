"use client";

import { useQueryState } from "@/hooks/use-query-state";
import { useExperiments } from "@/queries/experiments";
import { useHasPermission } from "@/queries/tenancy";
import { ExperimentListView } from "./experiment-list-view";

export function ExperimentListLoader() {
  const [query, setQuery] = useQueryState();
  const status = query.get("status") ?? "";
  const experiments = useExperiments(status);
  const mayCreate = useHasPermission("models:write");
  return (
    <ExperimentListView
      experiments={experiments}
      statuses={status.split(",").filter(Boolean)}
      onStatuses={(statuses) => setQuery({ status: statuses.join(",") })}
      mayCreate={mayCreate}
    />
  );
}
