import type { DatasetTally } from "@/api/schema";
import { count, words } from "@/components/format";

/** Why a completed session became no sample, as people say it. */
const REASONS: Readonly<Record<string, string>> = {
  filtered: "another type, tag, model or time than asked for",
  too_low_success: "below the success rate",
  empty_transcript: "nobody answered the prompt",
  too_long: "more than 256 KiB of transcript",
  duplicate: "the same messages as a newer session",
  near_duplicate: "nearly the same as a newer session",
  deleted: "deleted while it was looked at",
};

function Counts({ title, counts, says }: { title: string; counts: [string, number][]; says(name: string): string }) {
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
              <span className="figure relative px-1 text-xs">{count(number)}</span>
            </span>
            <span>{says(name)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

const sorted = (counts: Readonly<Record<string, number>>) =>
  Object.entries(counts)
    .filter(([, number]) => number > 0)
    .sort(([, a], [, b]) => b - a);

/** What was left out and why, and what was taken out of what stayed. */
export function Tally({ tally }: { tally: DatasetTally }) {
  const [left, redacted] = [sorted(tally.left_out), sorted(tally.redactions)];
  return (
    <div className="grid gap-4 sm:grid-cols-2 lg:grid-cols-1 xl:grid-cols-2">
      {left.length > 0 ? (
        <Counts title="Left out" counts={left} says={(name) => REASONS[name] ?? words(name)} />
      ) : (
        <p className="text-[0.8125rem] text-muted">No session that was looked at is left out.</p>
      )}
      {redacted.length > 0 ? (
        <Counts title="Redacted" counts={redacted} says={words} />
      ) : (
        <p className="text-[0.8125rem] text-muted">There was nothing to redact.</p>
      )}
    </div>
  );
}
