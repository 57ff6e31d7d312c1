"use client";

import { useQueryClient } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { sessionKeys } from "@/api/queries/sessions";
import { priorityWordValues, type Session } from "@/api/schema";
import { Button } from "@/components/button";
import { Dialog } from "@/components/dialog";
import { Field } from "@/components/field";
import { count, words } from "@/components/format";
import { Meter } from "@/components/meter";
import { Select } from "@/components/select";
import { StatusBadge } from "@/modules/status/badge";
import { type BulkVerb, carryOut, type Done, plan } from "./bulk";

const TITLES: Readonly<Record<BulkVerb, string>> = {
  end: "Stop or cancel sessions",
  retry: "Retry sessions",
  priority: "Change the priority",
};

function tally(names: readonly string[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts];
}

interface BulkDialogProps {
  verb: BulkVerb;
  sessions: readonly Session[];
  onClose(): void;
}

/** Says what would be done to how many, does it when told to, and says what came of it. */
export function BulkDialog({ verb, sessions, onClose }: BulkDialogProps) {
  const queries = useQueryClient();
  const [priority, setPriority] = useState("high");
  const [result, setResult] = useState<(Done & { over: boolean }) | null>(null);
  // What is shown was decided once: rows that change meanwhile must not change what was agreed to.
  const [taken] = useState(sessions);
  const planned = useMemo(() => plan(taken, verb, priority), [taken, verb, priority]);
  const total = planned.steps.length;
  const running = result !== null && !result.over;

  const go = async () => {
    setResult({ done: 0, refused: [], over: false });
    const done = await carryOut(planned, (so) => setResult({ ...so, over: false }));
    setResult({ ...done, over: true });
    void queries.invalidateQueries({ queryKey: sessionKeys.all });
  };

  return (
    <Dialog open onOpenChange={(open) => !open && !running && onClose()} title={TITLES[verb]}>
      <div className="flex flex-col gap-3 text-[0.8125rem]">
        <p>
          <b className="figure">{count(total)}</b> of {count(taken.length)} selected will be changed:
        </p>
        <ul className="flex flex-wrap gap-2">
          {tally(planned.steps.map((one) => `${one.session.status}|${one.does}`)).map(([key, number]) => {
            const [status, does] = key.split("|") as [string, string];
            return (
              <li key={key} className="flex items-center gap-1.5">
                <span className="figure">{number}</span> <StatusBadge status={status} /> {words(does)}
              </li>
            );
          })}
        </ul>
        {planned.leftOut > 0 && (
          <p className="text-muted">{count(planned.leftOut)} are left out: where they stand, it is not possible.</p>
        )}
        {verb === "priority" && !result && (
          <Field label="New priority">
            {(props) => (
              <Select {...props} value={priority} onChange={(event) => setPriority(event.target.value)}>
                {priorityWordValues.map((word) => (
                  <option key={word}>{word}</option>
                ))}
              </Select>
            )}
          </Field>
        )}
        {result && (
          <div role="status" className="flex flex-col gap-2">
            <Meter used={result.done + result.refused.length} limit={total} label="Progress" />
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
        )}
        <div className="mt-2 flex justify-end gap-2">
          <Button onClick={onClose} disabled={running}>
            {result?.over ? "Close" : "Leave it"}
          </Button>
          {!result?.over && (
            <Button look={verb === "end" ? "danger" : "primary"} disabled={total === 0} busy={running} onClick={go}>
              {verb === "end"
                ? `End ${count(total)}`
                : verb === "retry"
                  ? `Retry ${count(total)}`
                  : `Change ${count(total)}`}
            </Button>
          )}
        </div>
      </div>
    </Dialog>
  );
}
