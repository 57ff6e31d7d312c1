"use client";

import Link from "next/link";
import type { PerformanceView } from "@/api/schema";
import { EmptyState } from "@/components/content-states";
import { DataTable, HeaderCell, TableCell, TableRow } from "@/components/data-table";
import { formatDuration, formatPercent, formatUsd, shortId } from "@/components/format";
import { RelativeTime } from "@/components/relative-time";
import { SparklineChart } from "@/components/sparkline-chart";

function PerformanceFigures({ items, summary }: PerformanceView) {
  const durations = items.map((result) => result.duration_ms).reverse();
  const figures: [string, string][] = [
    ["Success rate", summary.success_rate != null ? formatPercent(summary.success_rate) : "–"],
    ["Median duration", summary.p50_duration_ms != null ? formatDuration(summary.p50_duration_ms / 1000) : "–"],
    ["95th percentile", summary.p95_duration_ms != null ? formatDuration(summary.p95_duration_ms / 1000) : "–"],
    ["Cost per success", summary.cost_per_success_usd ? formatUsd(summary.cost_per_success_usd) : "–"],
  ];
  return (
    <div className="flex flex-wrap items-end gap-x-8 gap-y-3 p-3">
      {figures.map(([label, value]) => (
        <div key={label}>
          <p className="label">{label}</p>
          <p className="figure text-lg font-semibold">{value}</p>
        </div>
      ))}
      <SparklineChart values={durations} label="Duration of each result" className="ml-auto h-10 w-48" />
    </div>
  );
}

const HEADS = ["When", "Session", "Result", "Duration", "Tokens", "Cost"];
const RIGHT = new Set(["Duration", "Tokens", "Cost"]);

/** How well an agent has worked: its figures, and its latest results. */
export function AgentResults({ performance }: { performance: PerformanceView }) {
  const { items } = performance;
  if (items.length === 0) return <EmptyState title="It has not finished any work yet." />;
  return (
    <>
      <PerformanceFigures {...performance} />
      <DataTable
        label="Results"
        head={HEADS.map((head) => (
          <HeaderCell key={head} className={RIGHT.has(head) ? "text-right" : undefined}>
            {head}
          </HeaderCell>
        ))}
      >
        {items.map((result) => (
          <TableRow key={`${result.at} ${result.session_id}`}>
            <TableCell className="text-xs text-muted">
              <RelativeTime at={result.at} />
            </TableCell>
            <TableCell>
              {result.session_id ? (
                <Link href={`/sessions/detail/?id=${result.session_id}`} className="figure text-xs hover:underline">
                  {shortId(result.session_id)}
                </Link>
              ) : (
                "deleted"
              )}
            </TableCell>
            <TableCell>
              {result.error_code ? (
                <span className="figure text-xs text-danger">{result.error_code}</span>
              ) : (
                formatPercent(result.success)
              )}
            </TableCell>
            <TableCell className="figure text-right text-xs">{formatDuration(result.duration_ms / 1000)}</TableCell>
            <TableCell className="figure text-right text-xs">{result.tokens}</TableCell>
            <TableCell className="figure text-right text-xs">{formatUsd(result.cost_usd)}</TableCell>
          </TableRow>
        ))}
      </DataTable>
    </>
  );
}
