import { FactList, LabelChip, SectionPanel, StatTiles } from "@/components/page-layout";
import { ElapsedTime, RelativeTime } from "@/components/relative-time";
import { AgentLoadBadge, AgentStatusBadge, AgentTierBadge } from "@/modules/agent/agent-badges";
import { StatusBadge } from "@/modules/status/status-badge";
import { STATUS_STYLES } from "@/modules/status/status-styles";

const BEGIN = "2026-11-22T10:00:00Z";
const END = "2026-11-22T10:04:05Z";

const AGENT_STATES = ["healthy", "busy", "degraded", "offline"] as const;
const LOADS = [
  [0, "idle"],
  [0.5, "optimal"],
  [0.8, "high"],
  [1, "overloaded"],
] as const;

export function TextSamples() {
  return (
    <>
      <SectionPanel title="States">
        <div className="flex flex-wrap items-center gap-2 p-3">
          <StatusBadge status="running" large />
          {Object.keys(STATUS_STYLES).map((status) => (
            <StatusBadge key={status} status={status} />
          ))}
        </div>
        <div className="flex flex-wrap items-center gap-4 border-t border-line p-3 text-[0.8125rem]">
          {AGENT_STATES.map((status) => (
            <AgentStatusBadge key={status} status={status} />
          ))}
          <AgentTierBadge tier="trainee" />
          <AgentTierBadge tier="elite" />
          {LOADS.map(([load, level]) => (
            <AgentLoadBadge key={level} load={load} level={level} />
          ))}
        </div>
      </SectionPanel>
      <SectionPanel title="Facts and figures" actions={<LabelChip>a label</LabelChip>}>
        <div className="p-3">
          <StatTiles
            items={[
              ["Samples", "1 024"],
              ["Training", "960", "1.2 MiB"],
              ["Held out", "64"],
            ]}
          />
        </div>
        <FactList
          items={[
            ["Started", <RelativeTime key="started" at={BEGIN} />],
            ["Duration", <ElapsedTime key="duration" from={BEGIN} to={END} />],
          ]}
        />
      </SectionPanel>
    </>
  );
}
