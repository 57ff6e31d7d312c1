import { formatCount } from "@/components/format";
import { FactList, SectionPanel } from "@/components/page-layout";
import { SegmentBar } from "@/components/segment-bar";
import { phaseTitle, type StartBreakdown } from "@/modules/session/start-phases";

function formatMilliseconds(duration: number): string {
  return `${formatCount(Math.round(duration))} ms`;
}

/** How long each phase took before the agent worked, and after its work. */
export function StartPanel({ breakdown }: { breakdown: StartBreakdown }) {
  const { start, total, end } = breakdown;
  return (
    <SectionPanel title="Start" actions={<span className="figure text-xs">{formatMilliseconds(total)}</span>}>
      {start.length > 0 && (
        <SegmentBar
          label="Time per phase of the start"
          className="p-3"
          segments={start.map(({ phase, duration }) => ({ name: phaseTitle(phase), value: duration }))}
          show={formatMilliseconds}
        />
      )}
      {end.length > 0 && (
        <div className="border-t border-line">
          <FactList
            items={end.map(({ phase, duration }) => [
              phaseTitle(phase),
              <span key={phase} className="figure text-xs">
                {formatMilliseconds(duration)}
              </span>,
            ])}
          />
        </div>
      )}
    </SectionPanel>
  );
}
