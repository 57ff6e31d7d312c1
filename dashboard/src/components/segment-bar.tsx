import { cx } from "./class-names";

export interface BarSegment {
  readonly name: string;
  readonly value: number;
}

/** From the strongest to the faintest. They differ in brightness, so that they are distinct in any colour vision. */
const SHADES = [100, 68, 44, 26, 14];

function shade(index: number): string {
  return `color-mix(in oklab, var(--accent) ${SHADES[index % SHADES.length]}%, var(--raised))`;
}

interface SegmentBarProps {
  /** What the bar divides, in words for screen readers. */
  label: string;
  segments: readonly BarSegment[];
  show(value: number): string;
  className?: string;
}

/** A whole, divided into its parts, with a legend that names each part and its value. */
export function SegmentBar({ label, segments, show, className }: SegmentBarProps) {
  return (
    <div className={cx("flex flex-col gap-2", className)}>
      <div aria-hidden className="flex h-3 gap-px overflow-hidden rounded bg-raised">
        {segments.map((segment, index) => (
          <div
            key={segment.name}
            title={`${segment.name}: ${show(segment.value)}`}
            className="min-w-0.5"
            style={{ flexGrow: Math.max(segment.value, 0), flexBasis: 0, backgroundColor: shade(index) }}
          />
        ))}
      </div>
      <dl aria-label={label} className="flex flex-col gap-0.5 text-xs">
        {segments.map((segment, index) => (
          <div key={segment.name} className="flex items-center gap-2">
            <dt className="flex min-w-0 flex-1 items-center gap-2 text-muted">
              <span
                aria-hidden
                className="size-2 shrink-0 rounded-sm border border-line-strong"
                style={{ backgroundColor: shade(index) }}
              />
              <span className="truncate">{segment.name}</span>
            </dt>
            <dd className="figure">{show(segment.value)}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}
