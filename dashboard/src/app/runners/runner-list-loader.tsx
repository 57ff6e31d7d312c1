"use client";

import { useState } from "react";
import { useQueryState } from "@/hooks/use-query-state";
import { RunnerActionBar } from "@/modules/runner/runner-action-bar";
import { useEnrolments, useRunners } from "@/queries/runners";
import { useHasLeadPermission } from "@/queries/tenancy";
import { EnrolRunnerDialog } from "./enrol-runner-dialog";
import { EnrolmentPanelLoader } from "./enrolment-panel";
import { RunnerListView } from "./runner-list-view";

export function RunnerListLoader() {
  const [query, setQuery] = useQueryState();
  const filter = { state: query.get("state") ?? undefined, pool: query.get("pool") ?? undefined };
  const runners = useRunners(filter);
  const mayWrite = useHasLeadPermission("agents:write");
  const enrolments = useEnrolments(mayWrite);
  const [enrolling, setEnrolling] = useState(false);
  return (
    <>
      <RunnerListView
        runners={runners}
        filter={filter}
        onFilter={setQuery}
        onEnrol={mayWrite ? () => setEnrolling(true) : undefined}
        actionsOf={mayWrite ? (runner) => <RunnerActionBar runner={runner} small /> : undefined}
        enrolments={mayWrite && <EnrolmentPanelLoader enrolments={enrolments} />}
      />
      {enrolling && <EnrolRunnerDialog pool={filter.pool} onClose={() => setEnrolling(false)} />}
    </>
  );
}
