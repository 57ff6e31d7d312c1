interface SparklineChartProps {
  values: readonly number[];
  label: string;
  className?: string;
}

/** A line without axes that shows how a value developed. */
export function SparklineChart({ values, label, className }: SparklineChartProps) {
  if (values.length < 2) return null;
  const most = Math.max(...values);
  const least = Math.min(0, ...values);
  const x = (index: number) => (index / (values.length - 1)) * 100;
  const y = (value: number) => 30 - ((value - least) / (most - least || 1)) * 28;
  const line = values
    .map((value, index) => `${index === 0 ? "M" : "L"}${x(index).toFixed(2)} ${y(value).toFixed(2)}`)
    .join("");
  return (
    <svg viewBox="0 0 100 32" preserveAspectRatio="none" role="img" aria-label={label} className={className}>
      <path d={`${line}L100 32L0 32Z`} fill="var(--accent)" opacity="0.12" />
      <path d={line} fill="none" stroke="var(--accent)" strokeWidth="1.5" vectorEffect="non-scaling-stroke" />
    </svg>
  );
}
