"use client";

import { type PointerEvent, useState } from "react";
import { cx } from "./class-names";
import { ticks } from "./scale";
import { Table, Td, Th, Tr } from "./table";

export interface Series {
  readonly name: string;
  readonly colour: string;
  /** Broken into dashes, so that colour alone never has to tell two lines apart. */
  readonly dashed?: boolean;
  readonly points: readonly { x: number; y: number }[];
}

interface LineChartProps {
  /** What it shows, in a sentence, for those who do not see it. */
  label: string;
  /** What the horizontal axis counts. */
  unit: string;
  series: readonly Series[];
  show(value: number): string;
}

function nearest(series: Series, x: number) {
  return series.points.reduce<{ x: number; y: number } | undefined>(
    (best, point) => (best && Math.abs(best.x - x) <= Math.abs(point.x - x) ? best : point),
    undefined,
  );
}

function Legend({ series }: { series: readonly Series[] }) {
  return (
    <div className="flex flex-wrap gap-x-4 gap-y-1 text-xs text-muted">
      {series.map((one) => (
        <span key={one.name} className="flex items-center gap-1.5">
          <svg viewBox="0 0 20 4" aria-hidden="true" className="h-1 w-5">
            <path d="M0 2h20" stroke={one.colour} strokeWidth="2.5" strokeDasharray={one.dashed ? "5 3" : undefined} />
          </svg>
          {one.name}
        </span>
      ))}
    </div>
  );
}

/** Every value of the chart; of the lines that have no point there, nothing. */
function Values({ series, unit, show, label }: Omit<LineChartProps, "label"> & { label: string }) {
  const at = [...new Set(series.flatMap((one) => one.points.map((point) => point.x)))].sort((a, b) => a - b);
  const known = series.map((one) => new Map(one.points.map((point) => [point.x, point.y])));
  return (
    <div className="max-h-72 overflow-y-auto">
      <Table
        label={label}
        head={
          <>
            <Th>{unit}</Th>
            {series.map((one) => (
              <Th key={one.name} className="text-right">
                {one.name}
              </Th>
            ))}
          </>
        }
      >
        {at.map((x) => (
          <Tr key={x}>
            <Td className="figure text-xs">{x}</Td>
            {known.map((values, index) => {
              const value = values.get(x);
              return (
                <Td key={series[index]?.name} className="figure text-right text-xs">
                  {value === undefined ? "–" : show(value)}
                </Td>
              );
            })}
          </Tr>
        ))}
      </Table>
    </div>
  );
}

/** Lines over a count, with axes; what they show stands in a table behind. */
export function LineChart({ label, unit, series, show }: LineChartProps) {
  const [under, setUnder] = useState<number | null>(null);
  const [listed, setListed] = useState(false);
  const drawn = series.filter((one) => one.points.length > 0);
  const all = drawn.flatMap((one) => one.points);
  const rows = ticks(Math.min(...all.map((point) => point.y)), Math.max(...all.map((point) => point.y)));
  const [left, right] = [Math.min(...all.map((point) => point.x)), Math.max(...all.map((point) => point.x))];
  const [low, high] = [rows[0] ?? 0, rows.at(-1) ?? 1];
  const x = (value: number) => ((value - left) / (right - left || 1)) * 100;
  const y = (value: number) => 100 - ((value - low) / (high - low || 1)) * 100;
  const columns = ticks(left, right, 6).filter((value) => value >= left && value <= right && Number.isInteger(value));
  const follow = (event: PointerEvent<HTMLDivElement>) => {
    const box = event.currentTarget.getBoundingClientRect();
    const there = left + ((event.clientX - box.left) / box.width) * (right - left);
    const first = drawn[0] && nearest(drawn[0], there);
    setUnder(first?.x ?? null);
  };
  return (
    <div className="p-3">
      <div className="mb-3 flex flex-wrap items-center justify-between gap-2">
        <Legend series={drawn} />
        <button
          type="button"
          aria-expanded={listed}
          onClick={() => setListed(!listed)}
          className="text-xs text-muted underline underline-offset-2 hover:text-text"
        >
          {listed ? "Hide the figures" : "Show the figures"}
        </button>
      </div>
      <div className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-2">
        <div aria-hidden className="figure relative h-56 w-9 text-2xs text-muted">
          {rows.map((value) => (
            <span key={value} className="absolute right-0 -translate-y-1/2" style={{ top: `${y(value)}%` }}>
              {value}
            </span>
          ))}
        </div>
        <div className="relative h-56" onPointerMove={follow} onPointerLeave={() => setUnder(null)}>
          <svg
            viewBox="0 0 100 100"
            preserveAspectRatio="none"
            role="img"
            aria-label={label}
            className="absolute inset-0 size-full overflow-visible"
          >
            {rows.map((value) => (
              <path
                key={value}
                d={`M0 ${y(value)}H100`}
                stroke="var(--line)"
                strokeWidth="1"
                vectorEffect="non-scaling-stroke"
              />
            ))}
            {under !== null && (
              <path
                d={`M${x(under)} 0V100`}
                stroke="var(--line-strong)"
                strokeWidth="1"
                vectorEffect="non-scaling-stroke"
              />
            )}
            {drawn.map((one) => (
              <path
                key={one.name}
                d={one.points
                  .map((point, at) => `${at === 0 ? "M" : "L"}${x(point.x).toFixed(2)} ${y(point.y).toFixed(2)}`)
                  .join("")}
                fill="none"
                stroke={one.colour}
                strokeWidth="1.75"
                strokeDasharray={one.dashed ? "5 3" : undefined}
                strokeLinejoin="round"
                vectorEffect="non-scaling-stroke"
              />
            ))}
          </svg>
          {drawn.map((one) => {
            const point = under === null ? one.points.at(-1) : nearest(one, under);
            return (
              point && (
                <span
                  key={one.name}
                  aria-hidden
                  className="absolute size-2 -translate-x-1/2 -translate-y-1/2 rounded-full border-2 bg-surface"
                  style={{ left: `${x(point.x)}%`, top: `${y(point.y)}%`, borderColor: one.colour }}
                />
              )
            );
          })}
          {under !== null && (
            <div
              aria-hidden
              className={cx(
                "panel figure pointer-events-none absolute top-1 z-10 px-2 py-1 text-2xs shadow-(--shadow)",
                x(under) > 60 ? "-translate-x-full" : "",
              )}
              style={{ left: `calc(${x(under)}% ${x(under) > 60 ? "- 0.5rem" : "+ 0.5rem"})` }}
            >
              <p className="text-muted">
                {unit.toLowerCase()} {under}
              </p>
              {drawn.map((one) => {
                const point = nearest(one, under);
                return (
                  point && (
                    <p key={one.name} className="whitespace-nowrap">
                      {one.name} {show(point.y)}
                    </p>
                  )
                );
              })}
            </div>
          )}
        </div>
        <div aria-hidden className="figure relative col-start-2 mt-1 h-4 text-2xs text-muted">
          {columns.map((value) => (
            <span key={value} className="absolute -translate-x-1/2" style={{ left: `${x(value)}%` }}>
              {value}
            </span>
          ))}
        </div>
      </div>
      {listed && <Values series={drawn} unit={unit} show={show} label={`Figures: ${label}`} />}
    </div>
  );
}
