import { axisTicks } from "./axis-ticks";
import { cx } from "./class-names";

export interface IntervalEstimate {
  readonly name: string;
  readonly low: number;
  readonly high: number;
  /** The measured value, or null if there is none yet. */
  readonly value: number | null;
  readonly tone?: string;
}

interface IntervalChartProps {
  intervals: readonly IntervalEstimate[];
  /** The axis covers at least this range. */
  least: number;
  most: number;
  /** A reference value, drawn as a line. */
  mark?: number;
  show(value: number): string;
}

/** A bar per interval with its measured value. The numbers are shown next to it as text. */
export function IntervalChart({ intervals, least, most, mark, show }: IntervalChartProps) {
  const axis = axisTicks(
    Math.min(least, ...intervals.map((one) => one.low)),
    Math.max(most, ...intervals.map((one) => one.high)),
    4,
  );
  const [from, to] = [axis[0] ?? 0, axis.at(-1) ?? 1];
  const at = (value: number) => `${((value - from) / (to - from || 1)) * 100}%`;
  return (
    <div className="p-3 text-[0.8125rem]">
      <ul className="flex flex-col gap-3">
        {intervals.map((one) => (
          <li key={one.name} className="grid gap-x-3 gap-y-1 sm:grid-cols-[9rem_minmax(0,1fr)_11rem] sm:items-center">
            <span className="min-w-0 truncate font-medium" title={one.name}>
              {one.name}
            </span>
            <span aria-hidden className="relative h-5">
              {axis.map((value) => (
                <span key={value} className="absolute inset-y-0 w-px bg-line" style={{ left: at(value) }} />
              ))}
              {mark !== undefined && <span className="absolute -inset-y-0.5 w-px bg-text" style={{ left: at(mark) }} />}
              <span
                className="absolute inset-y-1.5 min-w-0.5 rounded-sm opacity-55"
                style={{
                  left: at(one.low),
                  width: `calc(${at(one.high)} - ${at(one.low)})`,
                  background: one.tone ?? "var(--accent)",
                }}
              />
              {one.value !== null && (
                <span
                  className="absolute inset-y-0.5 w-1 -translate-x-1/2 rounded-sm border border-surface bg-text"
                  style={{ left: at(one.value) }}
                />
              )}
            </span>
            <span className="figure text-xs sm:text-right">
              {one.value === null ? "nothing yet" : show(one.value)}{" "}
              <span className="text-muted">
                [{show(one.low)}, {show(one.high)}]
              </span>
            </span>
          </li>
        ))}
      </ul>
      <div aria-hidden className="grid gap-x-3 sm:grid-cols-[9rem_minmax(0,1fr)_11rem]">
        <span className="figure relative mt-1 h-4 text-2xs text-muted sm:col-start-2">
          {axis.map((value, place) => (
            <span
              key={value}
              // The outer labels are shifted so that they stay inside the panel.
              className={cx(
                "absolute",
                place === axis.length - 1 ? "-translate-x-full" : place > 0 && "-translate-x-1/2",
              )}
              style={{ left: at(value) }}
            >
              {show(value)}
            </span>
          ))}
        </span>
      </div>
    </div>
  );
}
