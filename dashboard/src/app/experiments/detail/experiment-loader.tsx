"use client";

import { useSearchParams } from "next/navigation";
import { EmptyState } from "@/components/content-states";
import { LoadedContent } from "@/components/loaded-content";
import { useExperiment, useExperimentResults } from "@/queries/experiments";
import { useHasPermission } from "@/queries/tenancy";
import { ExperimentActions } from "./experiment-actions";
import { ExperimentView } from "./experiment-view";

export function ExperimentRoute() {
  const id = useSearchParams().get("id");
  if (!id) return <EmptyState title="No experiment is selected.">Choose one from the list of experiments.</EmptyState>;
  return <ExperimentLoader key={id} id={id} />;
}

function ExperimentLoader({ id }: { id: string }) {
  const experiment = useExperiment(id);
  const results = useExperimentResults(id, experiment.data?.status === "running");
  const mayWrite = useHasPermission("models:write");
  const mayRun = useHasPermission("sessions:write");
  return (
    <LoadedContent state={experiment} rows={10}>
      {(experiment) => (
        <ExperimentView
          experiment={experiment}
          results={results}
          mayRun={mayRun}
          actions={
            mayWrite && <ExperimentActions experiment={experiment} winner={results.data?.winner ?? experiment.winner} />
          }
        />
      )}
    </LoadedContent>
  );
}
