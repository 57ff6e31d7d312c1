"use client";

import { TriangleAlert } from "lucide-react";
import Link from "next/link";
import { useState } from "react";
import type { ModelVersion } from "@/api/schema";
import { ActionButton } from "@/components/action-button";
import { cx } from "@/components/class-names";
import { EmptyState } from "@/components/content-states";
import { DataTable, HeaderCell, TableCell, TableRow } from "@/components/data-table";
import { formatPercent, formatUsd } from "@/components/format";
import type { PagedState } from "@/components/load-state";
import { LabelChip, SectionPanel } from "@/components/page-layout";
import { PagedList } from "@/components/paged-list";
import { RelativeTime } from "@/components/relative-time";
import { versionPath } from "@/modules/model/names";

function VersionRow({
  one,
  here,
  chosen,
  onChoose,
}: {
  one: ModelVersion;
  here: boolean;
  chosen: boolean;
  onChoose(): void;
}) {
  const { metrics } = one;
  return (
    <TableRow className={cx(here && "bg-accent-soft", one.archived && "text-muted")}>
      <TableCell className="w-8">
        <input
          type="checkbox"
          aria-label={`Compare ${one.version}`}
          checked={chosen}
          onChange={onChoose}
          className="size-3.5 align-middle accent-accent"
        />
      </TableCell>
      <TableCell className="whitespace-nowrap">
        <Link
          href={versionPath(one.name, one.version)}
          aria-current={here ? "true" : undefined}
          className="figure font-medium hover:underline"
        >
          {one.version}
        </Link>
        {one.warnings.length > 0 && (
          <span title={one.warnings.join(" ")} className="ml-1.5">
            <TriangleAlert aria-label="Warning" className="inline size-3.5 text-warning" />
          </span>
        )}
      </TableCell>
      <TableCell>
        <span className="flex flex-wrap gap-1">
          {one.aliases.map((alias) => (
            <LabelChip key={alias}>{alias}</LabelChip>
          ))}
          {one.archived && <LabelChip>archived</LabelChip>}
        </span>
      </TableCell>
      <TableCell className="figure text-right text-xs">
        {metrics.eval_loss == null ? "–" : metrics.eval_loss.toFixed(4)}
      </TableCell>
      <TableCell className="figure text-right text-xs">
        {metrics.accuracy == null ? "–" : formatPercent(metrics.accuracy, 1)}
      </TableCell>
      <TableCell className="figure text-xs">{one.base_model}</TableCell>
      <TableCell className="figure text-right text-xs">
        {one.cost_usd && Number(one.cost_usd) > 0 ? formatUsd(one.cost_usd) : "–"}
      </TableCell>
      <TableCell className="text-xs whitespace-nowrap text-muted">
        <RelativeTime at={one.created_at} />
      </TableCell>
    </TableRow>
  );
}

const HEADS = ["Compare", "Version", "Aliases", "Held-out loss", "Accuracy", "Base model", "Cost", "Registered"];
const RIGHT = new Set(["Held-out loss", "Accuracy", "Cost"]);

interface VersionTableProps {
  versions: PagedState<ModelVersion>;
  /** The version whose details are shown. */
  current: string;
  showArchived: boolean;
  onShowArchived(show: boolean): void;
  onCompare(a: string, b: string): void;
}

export function VersionTable({ versions, current, showArchived, onShowArchived, onCompare }: VersionTableProps) {
  const [chosen, setChosen] = useState<readonly string[]>([]);
  // At most two versions are chosen: a third one replaces the oldest choice.
  const choose = (version: string) =>
    setChosen((old) => (old.includes(version) ? old.filter((one) => one !== version) : [...old, version].slice(-2)));
  const [a, b] = chosen;
  return (
    <SectionPanel
      title="Versions"
      actions={
        <>
          <label className="flex items-center gap-1.5 text-xs text-muted">
            <input
              type="checkbox"
              checked={showArchived}
              onChange={(event) => onShowArchived(event.target.checked)}
              className="accent-accent"
            />
            Show archived
          </label>
          <ActionButton
            small
            disabled={!a || !b}
            onClick={() => a && b && onCompare(a, b)}
            title="Choose two versions first"
          >
            Compare
          </ActionButton>
        </>
      }
    >
      <PagedList state={versions} empty={<EmptyState title="All versions are archived." />}>
        {(items) => (
          <DataTable
            label="Versions"
            head={HEADS.map((head, at) => (
              <HeaderCell key={head} className={RIGHT.has(head) ? "text-right" : undefined}>
                {at === 0 ? <span className="sr-only">{head}</span> : head}
              </HeaderCell>
            ))}
          >
            {items.map((version) => (
              <VersionRow
                key={version.id}
                one={version}
                here={version.version === current}
                chosen={chosen.includes(version.version)}
                onChoose={() => choose(version.version)}
              />
            ))}
          </DataTable>
        )}
      </PagedList>
    </SectionPanel>
  );
}
