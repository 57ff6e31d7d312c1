"use client";

import { TriangleAlert } from "lucide-react";
import Link from "next/link";
import { useState } from "react";
import { useModelVersions } from "@/api/queries/models";
import type { ModelVersion } from "@/api/schema";
import { Button } from "@/components/button";
import { cx } from "@/components/class-names";
import { percent, usd } from "@/components/format";
import { Listed } from "@/components/listed";
import { Chip, Panel } from "@/components/page";
import { Empty } from "@/components/states";
import { Table, Td, Th, Tr } from "@/components/table";
import { Ago } from "@/components/time";
import { versionPage } from "@/modules/model/names";

function Row({ one, here, chosen, onChoose }: { one: ModelVersion; here: boolean; chosen: boolean; onChoose(): void }) {
  const { metrics } = one;
  return (
    <Tr className={cx(here && "bg-accent-soft", one.archived && "text-muted")}>
      <Td className="w-8">
        <input
          type="checkbox"
          aria-label={`Compare ${one.version}`}
          checked={chosen}
          onChange={onChoose}
          className="size-3.5 align-middle accent-accent"
        />
      </Td>
      <Td className="whitespace-nowrap">
        <Link
          href={versionPage(one.name, one.version)}
          aria-current={here ? "true" : undefined}
          className="figure font-medium hover:underline"
        >
          {one.version}
        </Link>
        {one.warnings.length > 0 && (
          <span title={one.warnings.join(" ")} className="ml-1.5">
            <TriangleAlert aria-label="To be minded" className="inline size-3.5 text-warning" />
          </span>
        )}
      </Td>
      <Td>
        <span className="flex flex-wrap gap-1">
          {one.aliases.map((alias) => (
            <Chip key={alias}>{alias}</Chip>
          ))}
          {one.archived && <Chip>archived</Chip>}
        </span>
      </Td>
      <Td className="figure text-right text-xs">{metrics.eval_loss == null ? "–" : metrics.eval_loss.toFixed(4)}</Td>
      <Td className="figure text-right text-xs">{metrics.accuracy == null ? "–" : percent(metrics.accuracy, 1)}</Td>
      <Td className="figure text-xs">{one.base_model}</Td>
      <Td className="figure text-right text-xs">
        {one.cost_usd && Number(one.cost_usd) > 0 ? usd(one.cost_usd) : "–"}
      </Td>
      <Td className="text-xs whitespace-nowrap text-muted">
        <Ago at={one.created_at} />
      </Td>
    </Tr>
  );
}

const HEADS = ["Compare", "Version", "Aliases", "Held-out loss", "Accuracy", "Stands on", "Cost", "Registered"];
const RIGHT = new Set(["Held-out loss", "Accuracy", "Cost"]);

interface VersionsProps {
  name: string;
  shown: string;
  onCompare(a: string, b: string): void;
}

export function Versions({ name, shown, onCompare }: VersionsProps) {
  const [archived, setArchived] = useState(false);
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const versions = useModelVersions(name, archived);
  // Two are compared: a third choice lets the oldest go.
  const choose = (version: string) =>
    setChosen((old) => (old.includes(version) ? old.filter((one) => one !== version) : [...old, version].slice(-2)));
  const [a, b] = chosen;
  return (
    <Panel
      title="Versions"
      actions={
        <>
          <label className="flex items-center gap-1.5 text-xs text-muted">
            <input
              type="checkbox"
              checked={archived}
              onChange={(event) => setArchived(event.target.checked)}
              className="accent-accent"
            />
            Archived too
          </label>
          <Button small disabled={!a || !b} onClick={() => a && b && onCompare(a, b)} title="Choose two versions first">
            Compare
          </Button>
        </>
      }
    >
      <Listed query={versions} empty={<Empty title="All of its versions are archived." />}>
        {(items) => (
          <Table
            label="Versions"
            head={HEADS.map((head, at) => (
              <Th key={head} className={RIGHT.has(head) ? "text-right" : undefined}>
                {at === 0 ? <span className="sr-only">{head}</span> : head}
              </Th>
            ))}
          >
            {items.map((one) => (
              <Row
                key={one.id}
                one={one}
                here={one.version === shown}
                chosen={chosen.includes(one.version)}
                onChoose={() => choose(one.version)}
              />
            ))}
          </Table>
        )}
      </Listed>
    </Panel>
  );
}
