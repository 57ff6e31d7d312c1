"use client";

import { Check, X } from "lucide-react";
import type { ComparedMetric, ModelComparison } from "@/api/schema";
import { IconButton } from "@/components/action-button";
import { cx } from "@/components/class-names";
import { DataTable, HeaderCell, TableCell, TableRow } from "@/components/data-table";
import { formatWords } from "@/components/format";
import type { LoadState } from "@/components/load-state";
import { LoadedContent } from "@/components/loaded-content";
import { SectionPanel } from "@/components/page-layout";
import { ModelWarnings } from "@/modules/model/model-warnings";

const figure = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 6 });
const formatFigure = (value: number | null | undefined) =>
  value == null ? "–" : figure.format(value).replaceAll(",", "\u202f");

function toText(value: unknown): string {
  return value == null ? "–" : typeof value === "object" ? JSON.stringify(value) : String(value);
}

function ComparedMetricRow({ metric, a, b, better, difference }: ComparedMetric) {
  const cell = (value: number | null | undefined, best: boolean) => (
    <TableCell className={cx("figure text-right text-xs", best && "font-semibold")}>
      {best && <Check aria-label="better" className="mr-1 inline size-3.5 text-good" />}
      {formatFigure(value)}
    </TableCell>
  );
  return (
    <TableRow>
      <TableCell>{formatWords(metric)}</TableCell>
      {cell(a, better === "a")}
      {cell(b, better === "b")}
      <TableCell className="figure text-right text-xs text-muted">
        {difference == null ? "–" : `${difference > 0 ? "+" : ""}${formatFigure(difference)}`}
      </TableCell>
    </TableRow>
  );
}

interface VersionComparisonProps {
  title: string;
  comparison: LoadState<ModelComparison>;
  onClose(): void;
}

/** Two versions side by side: their metrics, which one is better, and what else differs. */
export function VersionComparison({ title, comparison, onClose }: VersionComparisonProps) {
  return (
    <SectionPanel
      title={title}
      actions={
        <IconButton label="Close the comparison" onClick={onClose}>
          <X aria-hidden className="size-4" />
        </IconButton>
      }
    >
      <LoadedContent state={comparison}>
        {(compared) => (
          <>
            {compared.warnings.length > 0 && (
              <div className="p-3 pb-0">
                <ModelWarnings warnings={compared.warnings} />
              </div>
            )}
            <DataTable
              label="Metrics side by side"
              head={
                <>
                  <HeaderCell>Metric</HeaderCell>
                  <HeaderCell className="text-right">{compared.a.version}</HeaderCell>
                  <HeaderCell className="text-right">{compared.b.version}</HeaderCell>
                  <HeaderCell className="text-right">Difference</HeaderCell>
                </>
              }
            >
              {compared.metrics.map((metric) => (
                <ComparedMetricRow key={metric.metric} {...metric} />
              ))}
            </DataTable>
            <VersionDifferences compared={compared} />
          </>
        )}
      </LoadedContent>
    </SectionPanel>
  );
}

function VersionDifferences({ compared }: { compared: ModelComparison }) {
  if (compared.differs.length === 0)
    return (
      <p className="border-t border-line p-3 text-[0.8125rem] text-muted">
        Nothing else differs: base model, dataset, provider and parameters are the same.
      </p>
    );
  return (
    <div className="border-t border-line">
      <DataTable
        label="Other differences"
        head={
          <>
            <HeaderCell>Difference</HeaderCell>
            <HeaderCell>{compared.a.version}</HeaderCell>
            <HeaderCell>{compared.b.version}</HeaderCell>
          </>
        }
      >
        {compared.differs.map((difference) => (
          <TableRow key={difference.field}>
            <TableCell>{formatWords(difference.field)}</TableCell>
            <TableCell className="figure text-xs break-all">{toText(difference.a)}</TableCell>
            <TableCell className="figure text-xs break-all">{toText(difference.b)}</TableCell>
          </TableRow>
        ))}
      </DataTable>
    </div>
  );
}
