"use client";

import { Plus } from "lucide-react";
import Link from "next/link";
import { useExperiments } from "@/api/queries/experiments";
import { useMay } from "@/api/queries/tenancy";
import { type Experiment, experimentStatusValues } from "@/api/schema";
import { ButtonLink } from "@/components/button-link";
import { Listed } from "@/components/listed";
import { Pick } from "@/components/menu";
import { Chip, PageHead, Panel } from "@/components/page";
import { Empty } from "@/components/states";
import { Table, Td, Th, Tr } from "@/components/table";
import { Ago } from "@/components/time";
import { useQueryState } from "@/hooks/use-query-state";
import { MEANS, share } from "@/modules/experiment/status";
import { StatusBadge, StatusShape } from "@/modules/status/badge";

function Row({ one }: { one: Experiment }) {
  return (
    <Tr>
      <Td>
        <StatusBadge status={one.status} means={MEANS[one.status]} />
      </Td>
      <Td className="min-w-40">
        <Link href={`/experiment/?id=${one.id}`} className="font-medium hover:underline">
          {one.name}
        </Link>
        {one.description && <p className="max-w-80 truncate text-2xs text-muted">{one.description}</p>}
      </Td>
      <Td className="min-w-48">
        <span className="flex flex-wrap gap-1">
          {one.arms.map((arm) => (
            <Chip key={arm.name} className={arm.stopped_at ? "line-through" : undefined}>
              {arm.name} {share(arm.weight, one.arms)}
            </Chip>
          ))}
        </span>
      </Td>
      <Td className="figure text-xs">{one.target ?? `experiment/${one.name}`}</Td>
      <Td>{one.promoted ? `${one.promoted.arm}, promoted` : (one.winner ?? "–")}</Td>
      <Td className="text-xs whitespace-nowrap text-muted">
        <Ago at={one.started_at ?? one.created_at} />
      </Td>
    </Tr>
  );
}

export function Experiments() {
  const [search, set] = useQueryState();
  const status = search.get("status") ?? "";
  const experiments = useExperiments(status);
  const mayWrite = useMay("models:write");
  return (
    <div className="mx-auto max-w-[120rem]">
      <PageHead title="Experiments" aside="Models compared on live sessions.">
        <Pick
          label="State"
          values={experimentStatusValues}
          chosen={status.split(",").filter(Boolean)}
          onChange={(chosen) => set({ status: chosen.join(",") })}
          show={(status) => (
            <span className="flex items-center gap-1.5">
              <StatusShape status={status} /> {status}
            </span>
          )}
        />
        {mayWrite && (
          <ButtonLink primary href="/experiments/new/">
            <Plus aria-hidden className="size-4" /> New experiment
          </ButtonLink>
        )}
      </PageHead>
      <Panel title="All experiments">
        <Listed
          query={experiments}
          empty={
            <Empty title={status ? "No experiment fits." : "There are no experiments yet."}>
              {status
                ? "Choose other states above."
                : "An experiment spreads sessions over two or more models, and says which is better once that is sure."}
            </Empty>
          }
        >
          {(items) => (
            <Table
              label="Experiments"
              head={["State", "Experiment", "Arms", "Sessions that name", "Winner", "Since"].map((head) => (
                <Th key={head}>{head}</Th>
              ))}
            >
              {items.map((one) => (
                <Row key={one.id} one={one} />
              ))}
            </Table>
          )}
        </Listed>
      </Panel>
    </div>
  );
}
