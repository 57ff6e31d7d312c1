import { cx } from "./class-names";
import { percent } from "./format";

interface MeterProps {
  used: number;
  limit: number;
  label: string;
  className?: string;
}

/** How full something is. Near the end it changes colour, and the figures beside it say the same. */
export function Meter({ used, limit, label, className }: MeterProps) {
  const share = limit > 0 ? Math.min(1, used / limit) : 0;
  const tone = share >= 0.95 ? "bg-danger" : share >= 0.8 ? "bg-warning" : "bg-accent";
  return (
    <div
      role="meter"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={limit}
      aria-valuenow={Math.min(used, limit)}
      aria-valuetext={`${used} of ${limit}, ${percent(share)}`}
      className={cx("h-1.5 w-full overflow-hidden rounded-full bg-line", className)}
    >
      <div className={cx("h-full rounded-full", tone)} style={{ width: `${share * 100}%` }} />
    </div>
  );
}
