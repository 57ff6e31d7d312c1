"use client";

import { useSearchParams } from "next/navigation";
import { EmptyState } from "@/components/content-states";
import { LoadedContent } from "@/components/loaded-content";
import { useEnvironment, useEnvironmentVersions } from "@/queries/environments";
import { useHasPermission } from "@/queries/tenancy";
import { EnvironmentActions } from "./environment-actions";
import { EnvironmentView } from "./environment-view";

export function EnvironmentRoute() {
  const search = useSearchParams();
  const id = search.get("id");
  if (!id)
    return <EmptyState title="No environment is selected.">Choose one from the list of environments.</EmptyState>;
  return <EnvironmentLoader key={id} id={id} version={Number(search.get("version")) || undefined} />;
}

function EnvironmentLoader({ id, version }: { id: string; version?: number }) {
  const environment = useEnvironment(id);
  const versions = useEnvironmentVersions(id);
  const mayWrite = useHasPermission("environments:write");
  const mayRun = useHasPermission("sessions:write");
  return (
    <LoadedContent state={environment} rows={10}>
      {(environment) => (
        <EnvironmentView
          environment={environment}
          versions={versions}
          version={version}
          actions={<EnvironmentActions environment={environment} mayWrite={mayWrite} mayRun={mayRun} />}
        />
      )}
    </LoadedContent>
  );
}
