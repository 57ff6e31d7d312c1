import { formatPercent } from "@/components/format";
import { IntervalChart } from "@/components/interval-chart";
import { LineChart } from "@/components/line-chart";
import { SectionPanel } from "@/components/page-layout";
import { SegmentBar } from "@/components/segment-bar";
import { SparklineChart } from "@/components/sparkline-chart";
import { UsageMeter } from "@/components/usage-meter";

const STEPS = [0, 10, 20, 30, 40];

const SERIES = [
  { name: "Training loss", colour: "var(--accent)", points: STEPS.map((x) => ({ x, y: 2.5 * 0.97 ** x })) },
  {
    name: "Held-out loss",
    colour: "var(--warning)",
    dashed: true,
    points: STEPS.map((x) => ({ x, y: 0.3 + 2.4 * 0.975 ** x })),
  },
];

export function ChartSamples() {
  return (
    <SectionPanel title="Charts">
      <div className="flex flex-col gap-3 p-3">
        {[30, 85, 97].map((used) => (
          <UsageMeter key={used} used={used} limit={100} label={`${used} of 100 used`} />
        ))}
        <SegmentBar
          label="Sample durations"
          segments={[
            { name: "First part", value: 12 },
            { name: "Second part", value: 340 },
            { name: "Third part", value: 160 },
          ]}
          show={(value) => `${value} ms`}
        />
        <SparklineChart values={[1, 3, 2, 5, 4, 8]} label="A value over time" className="h-9 w-40" />
      </div>
      <LineChart
        label="Both losses fall over 40 steps."
        unit="Step"
        series={SERIES}
        show={(value) => value.toFixed(2)}
      />
      <IntervalChart
        least={0}
        most={1}
        mark={0.5}
        show={(value) => formatPercent(value)}
        intervals={[
          { name: "control", low: 0.3, high: 0.7, value: 0.52 },
          { name: "variant", low: 0.55, high: 0.9, value: null },
        ]}
      />
    </SectionPanel>
  );
}
