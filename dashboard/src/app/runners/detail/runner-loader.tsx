"use client";

import { useRouter, useSearchParams } from "next/navigation";
import { EmptyState } from "@/components/content-states";
import { LoadedContent } from "@/components/loaded-content";
import { RunnerActionBar } from "@/modules/runner/runner-action-bar";
import { useRunner } from "@/queries/runners";
import { useHasLeadPermission } from "@/queries/tenancy";
import { RunnerView } from "./runner-view";

export function RunnerRoute() {
  const id = useSearchParams().get("id");
  if (!id) return <EmptyState title="No runner is selected.">Choose one from the list of runners.</EmptyState>;
  return <RunnerLoader key={id} id={id} />;
}

function RunnerLoader({ id }: { id: string }) {
  const router = useRouter();
  const runner = useRunner(id);
  const mayWrite = useHasLeadPermission("agents:write");
  return (
    <LoadedContent state={runner}>
      {(runner) => (
        <RunnerView
          runner={runner}
          actions={mayWrite && <RunnerActionBar runner={runner} onRemoved={() => router.push("/runners/")} />}
        />
      )}
    </LoadedContent>
  );
}
