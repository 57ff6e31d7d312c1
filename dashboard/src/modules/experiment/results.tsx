import { TriangleAlert, Trophy } from "lucide-react";
import Link from "next/link";
import type { ArmComparison, Experiment, ExperimentResults } from "@/api/schema";
import { compact, count, duration, percent, usd } from "@/components/format";
import { Intervals } from "@/components/interval";
import { Chip } from "@/components/page";
import { Table, Td, Th, Tr } from "@/components/table";
import { versionPage } from "@/modules/model/names";
import { share } from "./status";

/** What is wrong with how sessions were spread, where something is. */
export function Mismatch({ results }: { results: ExperimentResults }) {
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
        <p className="font-medium">Sessions are not spread as the weights say: nothing can be concluded.</p>
        <p>
          That they would be so by chance has a p-value of{" "}
          <span className="figure">{ratio.p_value.toPrecision(2)}</span>. Look for sessions that are kept from one arm,
          such as agents that refuse its model; then begin a new experiment.
        </p>
      </div>
    </section>
  );
}

const or = (value: number | null | undefined, show: (value: number) => string) => (value == null ? "–" : show(value));
const HEADS = ["Arm", "Runs on", "Share", "Trees", "Sessions", "Success", "Cost", "Duration", "Tokens"];

/** The arms with their figures: means per session, and the success rate of trees. */
export function Arms({ experiment, results }: { experiment: Experiment; results?: ExperimentResults }) {
  const figures = new Map(results?.arms.map((arm) => [arm.name, arm]));
  return (
    <Table
      label="Arms"
      head={HEADS.map((head, at) => (
        <Th key={head} className={at > 1 ? "text-right" : undefined}>
          {head}
        </Th>
      ))}
    >
      {experiment.arms.map((arm) => {
        const known = figures.get(arm.name);
        const { name, version, model_identifier } = arm.runs_on ?? {};
        return (
          <Tr key={arm.name}>
            <Td className="whitespace-nowrap">
              <span className="font-medium">{arm.name}</span>
              {results?.winner === arm.name && (
                <Chip className="ml-2">
                  <Trophy aria-hidden className="mr-1 size-3 text-good" /> winner
                </Chip>
              )}
              {experiment.promoted?.arm === arm.name && <Chip className="ml-2">promoted</Chip>}
              {arm.stopped_at && (
                <span title={arm.stopped_why ?? undefined}>
                  <Chip className="ml-2">stopped</Chip>
                </span>
              )}
            </Td>
            <Td className="figure text-xs">
              {name && version ? (
                <Link
                  href={versionPage(name, version)}
                  className="underline underline-offset-2"
                  title={model_identifier}
                >
                  {name}@{version}
                </Link>
              ) : (
                arm.model
              )}
            </Td>
            <Td className="figure text-right text-xs">{share(arm.weight, experiment.arms)}</Td>
            <Td className="figure text-right text-xs">{or(known?.trees, count)}</Td>
            <Td className="figure text-right text-xs">{or(known?.sessions, count)}</Td>
            <Td className="figure text-right text-xs">{or(known?.success_rate, (rate) => percent(rate, 1))}</Td>
            <Td className="figure text-right text-xs">{or(known?.cost_usd, usd)}</Td>
            <Td className="figure text-right text-xs">{or(known?.duration_seconds, duration)}</Td>
            <Td className="figure text-right text-xs">{or(known?.tokens, (tokens) => compact(Math.round(tokens)))}</Td>
          </Tr>
        );
      })}
    </Table>
  );
}

/** What a comparison says, in words: it is sure only once its interval leaves zero out. */
export function verdict({ a, b, better, pairs }: ArmComparison): string {
  if (better) return `${better} is better than ${better === a ? b : a}.`;
  return pairs === 0 ? "No pair of trees has ended yet." : "Neither is known to be better yet.";
}

function points(value: number): string {
  const rounded = Number((value * 100).toFixed(1));
  return `${rounded > 0 ? "+" : ""}${rounded}`;
}

/** What is not ruled out of each arm's success, and of the difference of each two. */
export function Sequences({ results }: { results: ExperimentResults }) {
  const confidence = percent(results.arms[0]?.success_interval.confidence ?? 0.95);
  return (
    <>
      <h3 className="label px-3 pt-3">Success of each arm</h3>
      <Intervals
        least={0}
        most={1}
        show={(value) => percent(value)}
        intervals={results.arms.map((arm) => ({
          name: arm.name,
          low: arm.success_interval.low,
          high: arm.success_interval.high,
          value: arm.success_rate ?? null,
        }))}
      />
      <h3 className="label border-t border-line px-3 pt-3">Difference of success, in points</h3>
      <Intervals
        least={-0.2}
        most={0.2}
        mark={0}
        show={points}
        intervals={results.comparisons.map((one) => ({
          name: `${one.b} less ${one.a}`,
          low: one.interval.low,
          high: one.interval.high,
          value: one.difference ?? null,
          tone: one.better ? "var(--good)" : undefined,
        }))}
      />
      <ul className="border-t border-line px-3 py-2 text-[0.8125rem]">
        {results.comparisons.map((one) => (
          <li key={`${one.a} ${one.b}`} className="flex flex-wrap justify-between gap-x-4">
            <span>{verdict(one)}</span>
            <span className="text-xs text-muted">
              <span className="figure">{count(one.pairs)}</span> pairs of trees
            </span>
          </li>
        ))}
      </ul>
      <p className="border-t border-line px-3 py-2 text-xs text-muted">
        The bars are confidence sequences ({confidence} for each arm): what they leave out is ruled out at all times at
        once, so look as often as you like. A winner is called once the bar of every difference leaves zero out.
      </p>
    </>
  );
}
