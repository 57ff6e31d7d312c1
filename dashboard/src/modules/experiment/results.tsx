import { TriangleAlert, Trophy } from "lucide-react";
import Link from "next/link";
import type { ArmComparison, Experiment, ExperimentResults } from "@/api/schema";
import { DataTable, HeaderCell, TableCell, TableRow } from "@/components/data-table";
import { formatCompact, formatCount, formatDuration, formatPercent, formatUsd } from "@/components/format";
import { IntervalChart } from "@/components/interval-chart";
import { LabelChip } from "@/components/page-layout";
import { versionPath } from "@/modules/model/names";
import { formatShare } from "./status";

/** Warns if the distribution of sessions over the arms differs from the weights. */
export function SampleRatioAlert({ results }: { results: ExperimentResults }) {
  const { sample_ratio: ratio } = results;
  if (!ratio.mismatch) return null;
  return (
    <section
      role="alert"
      aria-label="Sample ratio mismatch"
      className="panel flex gap-2.5 border-danger/50 bg-danger-soft p-3 text-[0.8125rem]"
    >
      <TriangleAlert aria-hidden className="mt-0.5 size-4 shrink-0 text-danger" />
      <div>
        <p className="font-medium">
          Sessions are not distributed according to the weights, so nothing can be concluded.
        </p>
        <p>
          The probability of this happening by chance is <span className="figure">{ratio.p_value.toPrecision(2)}</span>.
          Check whether sessions are kept from one arm, for example by agents that refuse its model. Then start a new
          experiment.
        </p>
      </div>
    </section>
  );
}

const formatOptional = <T extends number | string>(value: T | null | undefined, show: (value: T) => string) =>
  value == null ? "–" : show(value);
const HEADS = ["Arm", "Runs on", "Share", "Trees", "Sessions", "Success", "Cost", "Duration", "Tokens"];

/** The arms with their metrics: means per session, and the success rate per tree. */
export function ArmTable({ experiment, results }: { experiment: Experiment; results?: ExperimentResults }) {
  const figures = new Map(results?.arms.map((arm) => [arm.name, arm]));
  return (
    <DataTable
      label="Arms"
      head={HEADS.map((head, at) => (
        <HeaderCell key={head} className={at > 1 ? "text-right" : undefined}>
          {head}
        </HeaderCell>
      ))}
    >
      {experiment.arms.map((arm) => {
        const known = figures.get(arm.name);
        const { name, version, model_identifier } = arm.runs_on ?? {};
        return (
          <TableRow key={arm.name}>
            <TableCell className="whitespace-nowrap">
              <span className="font-medium">{arm.name}</span>
              {results?.winner === arm.name && (
                <LabelChip className="ml-2">
                  <Trophy aria-hidden className="mr-1 size-3 text-good" /> winner
                </LabelChip>
              )}
              {experiment.promoted?.arm === arm.name && <LabelChip className="ml-2">promoted</LabelChip>}
              {arm.stopped_at && (
                <span title={arm.stopped_why ?? undefined}>
                  <LabelChip className="ml-2">stopped</LabelChip>
                </span>
              )}
            </TableCell>
            <TableCell className="figure text-xs">
              {name && version ? (
                <Link
                  href={versionPath(name, version)}
                  className="underline underline-offset-2"
                  title={model_identifier}
                >
                  {name}@{version}
                </Link>
              ) : (
                arm.model
              )}
            </TableCell>
            <TableCell className="figure text-right text-xs">{formatShare(arm.weight, experiment.arms)}</TableCell>
            <TableCell className="figure text-right text-xs">{formatOptional(known?.trees, formatCount)}</TableCell>
            <TableCell className="figure text-right text-xs">{formatOptional(known?.sessions, formatCount)}</TableCell>
            <TableCell className="figure text-right text-xs">
              {formatOptional(known?.success_rate, (rate) => formatPercent(rate, 1))}
            </TableCell>
            <TableCell className="figure text-right text-xs">{formatOptional(known?.cost_usd, formatUsd)}</TableCell>
            <TableCell className="figure text-right text-xs">
              {formatOptional(known?.duration_seconds, formatDuration)}
            </TableCell>
            <TableCell className="figure text-right text-xs">
              {formatOptional(known?.tokens, (tokens) => formatCompact(Math.round(tokens)))}
            </TableCell>
          </TableRow>
        );
      })}
    </DataTable>
  );
}

/** Describes a comparison. It is decided once the API names the better arm. */
export function describeComparison({ a, b, better, pairs }: ArmComparison): string {
  if (better) return `${better} is better than ${better === a ? b : a}.`;
  return pairs === 0 ? "No pair of trees has ended yet." : "Neither arm is known to be better yet.";
}

function formatPoints(value: number): string {
  const rounded = Number((value * 100).toFixed(1));
  return `${rounded > 0 ? "+" : ""}${rounded}`;
}

/** The confidence sequences of each arm's success rate, and of the difference of each two arms. */
export function ConfidenceSequences({ results }: { results: ExperimentResults }) {
  const confidence = formatPercent(results.arms[0]?.success_interval.confidence ?? 0.95);
  return (
    <>
      <h3 className="label px-3 pt-3">Success of each arm</h3>
      <IntervalChart
        least={0}
        most={1}
        show={(value) => formatPercent(value)}
        intervals={results.arms.map((arm) => ({
          name: arm.name,
          low: arm.success_interval.low,
          high: arm.success_interval.high,
          value: arm.success_rate ?? null,
        }))}
      />
      <h3 className="label border-t border-line px-3 pt-3">Difference of success, in points</h3>
      <IntervalChart
        least={-0.2}
        most={0.2}
        mark={0}
        show={formatPoints}
        intervals={results.comparisons.map((one) => ({
          name: `${one.b} minus ${one.a}`,
          low: one.interval.low,
          high: one.interval.high,
          value: one.difference ?? null,
          tone: one.better ? "var(--good)" : undefined,
        }))}
      />
      <ul className="border-t border-line px-3 py-2 text-[0.8125rem]">
        {results.comparisons.map((one) => (
          <li key={`${one.a} ${one.b}`} className="flex flex-wrap justify-between gap-x-4">
            <span>{describeComparison(one)}</span>
            <span className="text-xs text-muted">
              <span className="figure">{formatCount(one.pairs)}</span> pairs of trees
            </span>
          </li>
        ))}
      </ul>
      <p className="border-t border-line px-3 py-2 text-xs text-muted">
        The bars are confidence sequences ({confidence} for each arm). They stay valid however often you look at them.
        There is a winner once no bar of a difference contains zero.
      </p>
    </>
  );
}
