"use client";
import type { Listing } from "@/api/schema";
import { ActionButton } from "@/components/action-button";
import { formatDuration, formatPercent, formatUsd, formatWords } from "@/components/format";
import { LabelChip } from "@/components/page-layout";
import { AgentTierBadge } from "@/modules/agent/agent-badges";

interface MarketplaceCardProps {
  listing: Listing;
  busy: boolean;
  /** Absent for callers who may not enable agents. */
  onToggle?(): void;
}

export function MarketplaceCard({ listing, busy, onToggle }: MarketplaceCardProps) {
  const { success } = listing;
  return (
    <li className="panel flex flex-col gap-2.5 p-3">
      <div className="flex items-start gap-2">
        <div className="min-w-0 flex-1">
          <h2 className="truncate font-semibold">{listing.name}</h2>
          <p className="truncate text-xs text-muted">
            by {listing.publisher.name} · {listing.agent_type} · {listing.kind} · {listing.availability}
          </p>
        </div>
        {onToggle && (
          <ActionButton small look={listing.enabled ? "plain" : "primary"} busy={busy} onClick={onToggle}>
            {listing.enabled ? "Disable" : "Enable"}
          </ActionButton>
        )}
      </div>
      {listing.description && <p className="line-clamp-2 text-[0.8125rem]">{listing.description}</p>}
      <dl className="grid grid-cols-4 gap-2 text-xs">
        {(
          [
            ["Success", success.rate != null ? formatPercent(success.rate) : "–"],
            ["Finished", String(success.finished)],
            ["Median", listing.p50_duration_ms != null ? formatDuration(listing.p50_duration_ms / 1000) : "–"],
            ["Per success", listing.cost_per_success_usd ? formatUsd(listing.cost_per_success_usd) : "–"],
          ] as const
        ).map(([name, value]) => (
          <div key={name}>
            <dt className="text-muted">{name}</dt>
            <dd className="figure font-semibold">{value}</dd>
          </div>
        ))}
      </dl>
      {success.interval && (
        <p className="text-2xs text-muted">
          95% confidence interval: {formatPercent(success.interval.low)} to {formatPercent(success.interval.high)}
        </p>
      )}
      <div className="mt-auto flex flex-wrap items-center gap-1">
        <span className="mr-auto text-xs">
          <AgentTierBadge tier={listing.tier} />
        </span>
        {listing.capabilities.slice(0, 3).map((one) => (
          <LabelChip key={one}>{formatWords(one)}</LabelChip>
        ))}
        {listing.capabilities.length > 3 && <LabelChip>+{listing.capabilities.length - 3}</LabelChip>}
      </div>
    </li>
  );
}
