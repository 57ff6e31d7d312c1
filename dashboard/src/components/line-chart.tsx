"use client";

import { type PointerEvent, useState } from "react";
import { axisTicks } from "./axis-ticks";
import { cx } from "./class-names";
import { DataTable, HeaderCell, TableCell, TableRow } from "./data-table";

export interface LineSeries {
  readonly name: string;
  readonly colour: string;
  /** Drawn with dashes, so that lines differ by more than their colour. */
  readonly dashed?: boolean;
  readonly points: readonly { x: number; y: number }[];
}

interface LineChartProps {
  /** What the chart shows, in a sentence for screen readers. */
  label: string;
  /** What the horizontal axis counts. */
  unit: string;
  series: readonly LineSeries[];
  show(value: number): string;
}

function nearestPoint(series: LineSeries, x: number) {
  return series.points.reduce<{ x: number; y: number } | undefined>(
    (best, point) => (best && Math.abs(best.x - x) <= Math.abs(point.x - x) ? best : point),
    undefined,
  );
}

function ChartLegend({ series }: { series: readonly LineSeries[] }) {
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

/** Every value of the chart. A line without a point at a step has a dash there. */
function ChartTable({ series, unit, show, label }: Omit<LineChartProps, "label"> & { label: string }) {
  const at = [...new Set(series.flatMap((one) => one.points.map((point) => point.x)))].sort((a, b) => a - b);
  const known = series.map((one) => new Map(one.points.map((point) => [point.x, point.y])));
  return (
    <div className="max-h-72 overflow-y-auto">
      <DataTable
        label={label}
        head={
          <>
            <HeaderCell>{unit}</HeaderCell>
            {series.map((one) => (
              <HeaderCell key={one.name} className="text-right">
                {one.name}
              </HeaderCell>
            ))}
          </>
        }
      >
        {at.map((x) => (
          <TableRow key={x}>
            <TableCell className="figure text-xs">{x}</TableCell>
            {known.map((values, index) => {
              const value = values.get(x);
              return (
                <TableCell key={series[index]?.name} className="figure text-right text-xs">
                  {value === undefined ? "–" : show(value)}
                </TableCell>
              );
            })}
          </TableRow>
        ))}
      </DataTable>
    </div>
  );
}

interface ChartScale {
  readonly rows: readonly number[];
  readonly columns: readonly number[];
  /** The ends of the horizontal axis. */
  readonly left: number;
  readonly right: number;
  /** Where a value is drawn, in percent of the chart's width and height. */
  x(value: number): number;
  y(value: number): number;
}

function chartScale(series: readonly LineSeries[]): ChartScale {
  const points = series.flatMap((one) => one.points);
  const [xs, ys] = [points.map((point) => point.x), points.map((point) => point.y)];
  const rows = axisTicks(Math.min(...ys), Math.max(...ys));
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  const [low, high] = [rows[0] ?? 0, rows.at(-1) ?? 1];
  const columns = axisTicks(left, right, 6);
  return {
    rows,
    columns: columns.filter((value) => value >= left && value <= right && Number.isInteger(value)),
    left,
    right,
    x: (value) => ((value - left) / (right - left || 1)) * 100,
    y: (value) => 100 - ((value - low) / (high - low || 1)) * 100,
  };
}

/** Lines over a count, with axes. A table with the same values opens below the chart. */
export function LineChart({ label, unit, series, show }: LineChartProps) {
  const [pointerX, setPointerX] = useState<number | null>(null);
  const [listed, setListed] = useState(false);
  const drawn = series.filter((one) => one.points.length > 0);
  const scale = chartScale(drawn);
  const follow = (event: PointerEvent<HTMLDivElement>) => {
    const box = event.currentTarget.getBoundingClientRect();
    const x = scale.left + ((event.clientX - box.left) / box.width) * (scale.right - scale.left);
    setPointerX((drawn[0] && nearestPoint(drawn[0], x)?.x) ?? null);
  };
  return (
    <div className="p-3">
      <div className="mb-3 flex flex-wrap items-center justify-between gap-2">
        <ChartLegend series={drawn} />
        <button
          type="button"
          aria-expanded={listed}
          onClick={() => setListed(!listed)}
          className="text-xs text-muted underline underline-offset-2 hover:text-text"
        >
          {listed ? "Hide the values" : "Show the values"}
        </button>
      </div>
      <div className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-2">
        <div aria-hidden className="figure relative h-56 w-9 text-2xs text-muted">
          {scale.rows.map((value) => (
            <span key={value} className="absolute right-0 -translate-y-1/2" style={{ top: `${scale.y(value)}%` }}>
              {value}
            </span>
          ))}
        </div>
        <div className="relative h-56" onPointerMove={follow} onPointerLeave={() => setPointerX(null)}>
          <ChartLines label={label} series={drawn} scale={scale} pointerX={pointerX} />
          <ChartMarkers series={drawn} scale={scale} pointerX={pointerX} />
          {pointerX !== null && (
            <ChartTooltip series={drawn} unit={unit} show={show} pointerX={pointerX} position={scale.x(pointerX)} />
          )}
        </div>
        <div aria-hidden className="figure relative col-start-2 mt-1 h-4 text-2xs text-muted">
          {scale.columns.map((value) => (
            <span key={value} className="absolute -translate-x-1/2" style={{ left: `${scale.x(value)}%` }}>
              {value}
            </span>
          ))}
        </div>
      </div>
      {listed && <ChartTable series={drawn} unit={unit} show={show} label={`Values: ${label}`} />}
    </div>
  );
}

interface ChartPartProps {
  series: readonly LineSeries[];
  scale: ChartScale;
  /** The point that the pointer is nearest to, as a value of the horizontal axis. */
  pointerX: number | null;
}

function ChartLines({ label, series, scale, pointerX }: ChartPartProps & { label: string }) {
  const { x, y } = scale;
  return (
    <svg
      viewBox="0 0 100 100"
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
      className="absolute inset-0 size-full overflow-visible"
    >
      {scale.rows.map((value) => (
        <path
          key={value}
          d={`M0 ${y(value)}H100`}
          stroke="var(--line)"
          strokeWidth="1"
          vectorEffect="non-scaling-stroke"
        />
      ))}
      {pointerX !== null && (
        <path
          d={`M${x(pointerX)} 0V100`}
          stroke="var(--line-strong)"
          strokeWidth="1"
          vectorEffect="non-scaling-stroke"
        />
      )}
      {series.map((one) => (
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
  );
}

/** A dot on each line: at the pointer, or at the last point. */
function ChartMarkers({ series, scale, pointerX }: ChartPartProps) {
  return series.map((one) => {
    const point = pointerX === null ? one.points.at(-1) : nearestPoint(one, pointerX);
    return (
      point && (
        <span
          key={one.name}
          aria-hidden
          className="absolute size-2 -translate-x-1/2 -translate-y-1/2 rounded-full border-2 bg-surface"
          style={{ left: `${scale.x(point.x)}%`, top: `${scale.y(point.y)}%`, borderColor: one.colour }}
        />
      )
    );
  });
}

interface ChartTooltipProps extends Omit<LineChartProps, "label"> {
  pointerX: number;
  /** Where the pointer is, in percent of the chart's width. */
  position: number;
}

function ChartTooltip({ series, unit, show, pointerX, position }: ChartTooltipProps) {
  const toLeft = position > 60;
  return (
    <div
      aria-hidden
      className={cx(
        "panel figure pointer-events-none absolute top-1 z-10 px-2 py-1 text-2xs shadow-(--shadow)",
        toLeft && "-translate-x-full",
      )}
      style={{ left: `calc(${position}% ${toLeft ? "- 0.5rem" : "+ 0.5rem"})` }}
    >
      <p className="text-muted">
        {unit.toLowerCase()} {pointerX}
      </p>
      {series.map((one) => {
        const point = nearestPoint(one, pointerX);
        return (
          point && (
            <p key={one.name} className="whitespace-nowrap">
              {one.name} {show(point.y)}
            </p>
          )
        );
      })}
    </div>
  );
}
