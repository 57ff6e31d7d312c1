"use client";

import { useMutation } from "@tanstack/react-query";
import { ShieldCheck, ShieldX } from "lucide-react";
import { Fragment, useDeferredValue, useState } from "react";
import { tenancyCalls, useAudit } from "@/api/queries/tenancy";
import type { Recorded } from "@/api/schema";
import { Button } from "@/components/button";
import { count, exact, shortId } from "@/components/format";
import { PageHead, Panel } from "@/components/page";
import { Empty, Failure, Loading } from "@/components/states";
import { Table, Td, Th, Tr } from "@/components/table";
import { Ago } from "@/components/time";

/** The fields that differ, before and after. */
function changes(entry: Recorded): [string, string, string][] {
  const before = (entry.before ?? {}) as Record<string, unknown>;
  const after = (entry.after ?? {}) as Record<string, unknown>;
  const text = (value: unknown) =>
    value === undefined ? "–" : typeof value === "string" ? value : JSON.stringify(value);
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return names
    .filter((name) => text(before[name]) !== text(after[name]))
    .map((name) => [name, text(before[name]), text(after[name])]);
}

function Entry({ entry }: { entry: Recorded }) {
  const [open, setOpen] = useState(false);
  const differ = changes(entry);
  return (
    <Fragment>
      <Tr>
        <Td className="figure text-xs text-muted">{entry.seq}</Td>
        <Td className="text-xs text-muted">
          <Ago at={entry.at} />
        </Td>
        <Td className="font-medium whitespace-nowrap">{entry.action}</Td>
        <Td>
          {entry.actor.name} <span className="text-xs text-muted">{entry.actor.kind}</span>
        </Td>
        <Td className="text-xs">
          {entry.object_kind.replaceAll("_", " ")}{" "}
          <span className="figure text-muted" title={entry.object_id}>
            {shortId(entry.object_id)}
          </span>
        </Td>
        <Td className="figure text-xs text-muted">{entry.address ?? "–"}</Td>
        <Td className="text-right">
          <Button small look="quiet" aria-expanded={open} onClick={() => setOpen(!open)}>
            {open ? "Less" : "More"}
          </Button>
        </Td>
      </Tr>
      {open && (
        <tr className="border-b border-line bg-raised">
          <td colSpan={7} className="px-3 py-2 text-xs">
            <p className="text-muted">
              {exact(entry.at)} · request <span className="figure">{entry.request_id ?? "–"}</span> · hash{" "}
              <span className="figure break-all">{entry.hash}</span>
            </p>
            {differ.length > 0 && (
              <dl className="figure mt-2 grid grid-cols-[auto_1fr_1fr] gap-x-4 gap-y-1">
                {differ.map(([name, before, after]) => (
                  <Fragment key={name}>
                    <dt className="text-muted">{name}</dt>
                    <dd className="break-all text-danger">{before}</dd>
                    <dd className="break-all text-good">{after}</dd>
                  </Fragment>
                ))}
              </dl>
            )}
          </td>
        </tr>
      )}
    </Fragment>
  );
}

function Verify() {
  const verify = useMutation({ mutationFn: tenancyCalls.verifyAudit });
  const verdict = verify.data;
  return (
    <>
      {verdict && (
        <span role="status" className="flex items-center gap-1.5 text-[0.8125rem]">
          {verdict.intact ? (
            <ShieldCheck aria-hidden className="size-4 text-good" />
          ) : (
            <ShieldX aria-hidden className="size-4 text-danger" />
          )}
          {verdict.intact
            ? `${count(verdict.entries)} entries, the chain is whole`
            : `broken at ${verdict.breaks.map((one) => one.seq).join(", ")}`}
        </span>
      )}
      {verify.isError && <span role="alert">{verify.error.message}</span>}
      <Button busy={verify.isPending} onClick={() => verify.mutate()}>
        Verify the chain
      </Button>
    </>
  );
}

const KINDS = [
  "session",
  "agent",
  "agent_token",
  "api_key",
  "user",
  "tenant",
  "audit",
  "training_job",
  "training_provider",
  "dataset",
  "model",
  "experiment",
];

export function Audit() {
  const [action, setAction] = useState("");
  const [kind, setKind] = useState("");
  const audit = useAudit({ action: useDeferredValue(action.trim()) || undefined, object_kind: kind || undefined });
  const entries = audit.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <div className="mx-auto max-w-7xl">
      <PageHead title="Audit log">
        <Verify />
      </PageHead>
      <Panel
        title="Who changed what"
        actions={
          <>
            <input
              aria-label="Action"
              placeholder="Action, such as session.stop"
              value={action}
              onChange={(event) => setAction(event.target.value)}
              className="field h-7! w-52 text-xs"
            />
            <select
              aria-label="Kind of object"
              value={kind}
              onChange={(event) => setKind(event.target.value)}
              className="field h-7! w-32 text-xs"
            >
              <option value="">Anything</option>
              {KINDS.map((one) => (
                <option key={one} value={one}>
                  {one.replaceAll("_", " ")}
                </option>
              ))}
            </select>
          </>
        }
      >
        {audit.isPending ? (
          <Loading />
        ) : audit.isLoadingError ? (
          <Failure error={audit.error} retry={() => void audit.refetch()} />
        ) : entries.length === 0 ? (
          <Empty title="Nothing fits." />
        ) : (
          <Table
            label="Audit log"
            head={["Seq", "When", "Action", "Who", "What", "From", ""].map((head) => (
              <Th key={head}>{head || <span className="sr-only">Details</span>}</Th>
            ))}
          >
            {entries.map((entry) => (
              <Entry key={entry.id} entry={entry} />
            ))}
          </Table>
        )}
        {audit.hasNextPage && (
          <div className="flex justify-center p-3">
            <Button busy={audit.isFetchingNextPage} onClick={() => void audit.fetchNextPage()}>
              Older ones
            </Button>
          </div>
        )}
      </Panel>
    </div>
  );
}
