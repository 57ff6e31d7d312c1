"use client";

import { useQueryClient } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { priorityWordValues, type Session } from "@/api/schema";
import { ActionButton } from "@/components/action-button";
import { formatCount, formatWords } from "@/components/format";
import { ModalDialog } from "@/components/modal-dialog";
import { SelectField } from "@/components/select-field";
import { UsageMeter } from "@/components/usage-meter";
import { StatusBadge } from "@/modules/status/status-badge";
import { sessionKeys } from "@/queries/sessions";
import type { BulkPlan } from "./bulk-plan";
import { type BulkAction, type BulkResult, planBulkAction, runBulkPlan } from "./bulk-plan";

const TITLES: Readonly<Record<BulkAction, string>> = {
  end: "Stop or cancel sessions",
  retry: "Retry sessions",
  priority: "Change the priority",
};

function countByName(names: readonly string[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts];
}

interface BulkDialogProps {
  verb: BulkAction;
  sessions: readonly Session[];
  onClose(): void;
}

const SUBMIT_WORDS: Readonly<Record<BulkAction, string>> = { end: "End", retry: "Retry", priority: "Change" };

/** Shows how many sessions an action would change, carries it out once confirmed, and shows the results. */
export function BulkDialog({ verb, sessions, onClose }: BulkDialogProps) {
  const queries = useQueryClient();
  const [priority, setPriority] = useState("high");
  const [result, setResult] = useState<(BulkResult & { over: boolean }) | null>(null);
  // The sessions are fixed when the dialog opens: rows that change meanwhile must not change what was confirmed.
  const [selected] = useState(sessions);
  const plan = useMemo(() => planBulkAction(selected, verb, priority), [selected, verb, priority]);
  const total = plan.steps.length;
  const running = result !== null && !result.over;

  const run = async () => {
    setResult({ done: 0, refused: [], over: false });
    const done = await runBulkPlan(plan, (progress) => setResult({ ...progress, over: false }));
    setResult({ ...done, over: true });
    void queries.invalidateQueries({ queryKey: sessionKeys.all });
  };

  return (
    <ModalDialog open onOpenChange={(open) => !open && !running && onClose()} title={TITLES[verb]}>
      <div className="flex flex-col gap-3 text-[0.8125rem]">
        <BulkPlanSummary plan={plan} selected={selected.length} />
        {verb === "priority" && !result && (
          <SelectField
            label="New priority"
            value={priority}
            onChange={(event) => setPriority(event.target.value)}
            options={priorityWordValues}
          />
        )}
        {result && <BulkProgress result={result} total={total} />}
        <div className="mt-2 flex justify-end gap-2">
          <ActionButton onClick={onClose} disabled={running}>
            {result?.over ? "Close" : "Cancel"}
          </ActionButton>
          {!result?.over && (
            <ActionButton
              look={verb === "end" ? "danger" : "primary"}
              disabled={total === 0}
              busy={running}
              onClick={run}
            >
              {SUBMIT_WORDS[verb]} {formatCount(total)}
            </ActionButton>
          )}
        </div>
      </div>
    </ModalDialog>
  );
}

function BulkPlanSummary({ plan, selected }: { plan: BulkPlan; selected: number }) {
  return (
    <>
      <p>
        <b className="figure">{formatCount(plan.steps.length)}</b> of {formatCount(selected)} selected will be changed:
      </p>
      <ul className="flex flex-wrap gap-2">
        {countByName(plan.steps.map((step) => `${step.session.status}|${step.does}`)).map(([key, number]) => {
          const [status, does] = key.split("|") as [string, string];
          return (
            <li key={key} className="flex items-center gap-1.5">
              <span className="figure">{number}</span> <StatusBadge status={status} /> {formatWords(does)}
            </li>
          );
        })}
      </ul>
      {plan.leftOut > 0 && (
        <p className="text-muted">{formatCount(plan.leftOut)} are left out: their state does not allow the action.</p>
      )}
    </>
  );
}

function BulkProgress({ result, total }: { result: BulkResult; total: number }) {
  return (
    <div role="status" className="flex flex-col gap-2">
      <UsageMeter used={result.done + result.refused.length} limit={total} label="Progress" />
      <p>
        <span className="figure">{result.done}</span> done
        {result.refused.length > 0 && <>, {result.refused.length} refused</>}.
      </p>
      <ul className="max-h-40 overflow-y-auto">
        {result.refused.map(({ session, why }) => (
          <li key={session.id} className="border-t border-line py-1">
            <b>{session.title}</b>: {why}
          </li>
        ))}
      </ul>
    </div>
  );
}
