import type { DatasetTally } from "@/api/schema";
import { formatCount, formatWords } from "@/components/format";

/** Why a completed session did not become a sample. */
const EXCLUSION_REASONS: Readonly<Record<string, string>> = {
  filtered: "does not match the type, tags, model or period",
  too_low_success: "below the success rate",
  empty_transcript: "no response to the prompt",
  too_long: "more than 256 KiB of transcript",
  duplicate: "the same messages as a newer session",
  near_duplicate: "nearly the same as a newer session",
  deleted: "deleted while it was examined",
};

function CountList({ title, counts, says }: { title: string; counts: [string, number][]; says(name: string): string }) {
  const most = Math.max(...counts.map(([, number]) => number));
  return (
    <section aria-label={title} className="min-w-0">
      <h3 className="label mb-1.5">{title}</h3>
      <ul className="flex flex-col gap-1 text-[0.8125rem]">
        {counts.map(([name, number]) => (
          <li key={name} className="grid grid-cols-[3.5rem_minmax(0,1fr)] items-baseline gap-2">
            <span className="relative text-right">
              <span
                aria-hidden
                className="absolute inset-y-0.5 right-0 rounded-xs bg-accent-soft"
                style={{ width: `${(number / most) * 100}%` }}
              />
              <span className="figure relative px-1 text-xs">{formatCount(number)}</span>
            </span>
            <span>{says(name)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

const sortedCounts = (counts: Readonly<Record<string, number>>) =>
  Object.entries(counts)
    .filter(([, number]) => number > 0)
    .sort(([, a], [, b]) => b - a);

/** The sessions that were left out by reason, and the redactions in the samples. */
export function DatasetTallyLists({ tally }: { tally: DatasetTally }) {
  const [left, redacted] = [sortedCounts(tally.left_out), sortedCounts(tally.redactions)];
  return (
    <div className="grid gap-4 sm:grid-cols-2 lg:grid-cols-1 xl:grid-cols-2">
      {left.length > 0 ? (
        <CountList title="Left out" counts={left} says={(name) => EXCLUSION_REASONS[name] ?? formatWords(name)} />
      ) : (
        <p className="text-[0.8125rem] text-muted">No examined session was left out.</p>
      )}
      {redacted.length > 0 ? (
        <CountList title="Redacted" counts={redacted} says={formatWords} />
      ) : (
        <p className="text-[0.8125rem] text-muted">Nothing had to be redacted.</p>
      )}
    </div>
  );
}
