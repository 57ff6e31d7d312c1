import { LabelChip, SectionPanel } from "@/components/page-layout";
import { RelativeTime } from "@/components/relative-time";
import type { EgressRefusal } from "@/modules/session/egress-refusals";

/** The connections that the session tried to open, and that its network policy refused. */
export function EgressPanel({ refusals }: { refusals: readonly EgressRefusal[] }) {
  return (
    <SectionPanel title="Refused connections" actions={<LabelChip>{refusals.length}</LabelChip>}>
      <ul className="max-h-64 overflow-y-auto p-3 text-xs" tabIndex={0} aria-label="Refused connections">
        {refusals.map(({ text, at, count }) => (
          <li key={text} className="flex justify-between gap-3 py-0.5">
            <span className="min-w-0 break-words">
              {text}
              {count > 1 && <span className="figure text-muted"> ×{count}</span>}
            </span>
            <RelativeTime at={at} className="shrink-0 text-muted" />
          </li>
        ))}
      </ul>
    </SectionPanel>
  );
}
