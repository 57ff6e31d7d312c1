import { cx } from "./class-names";
import { formatPercent } from "./format";

interface UsageMeterProps {
  used: number;
  limit: number;
  label: string;
  /** Set where reaching the limit is good, such as for slots: the colour then stays the same. */
  neutral?: boolean;
  className?: string;
}

/** How much of a limit is used. The colour changes near the limit. */
export function UsageMeter({ used, limit, label, neutral, className }: UsageMeterProps) {
  const share = limit > 0 ? Math.min(1, used / limit) : 0;
  const tone = neutral ? "bg-accent" : share >= 0.95 ? "bg-danger" : share >= 0.8 ? "bg-warning" : "bg-accent";
  return (
    <div
      role="meter"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={limit}
      aria-valuenow={Math.min(used, limit)}
      aria-valuetext={`${used} of ${limit}, ${formatPercent(share)}`}
      className={cx("h-1.5 w-full overflow-hidden rounded-full bg-line", className)}
    >
      <div className={cx("h-full rounded-full", tone)} style={{ width: `${share * 100}%` }} />
    </div>
  );
}
