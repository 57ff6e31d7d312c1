"use client";

import type { Listing } from "@/api/schema";
import { capabilityValues } from "@/api/schema";
import { EmptyState } from "@/components/content-states";
import { formatWords } from "@/components/format";
import type { ListState } from "@/components/load-state";
import { LoadedContent } from "@/components/loaded-content";
import { PageHeader } from "@/components/page-layout";
import { SelectInput } from "@/components/select-input";
import { MarketplaceCard } from "./marketplace-card";

interface MarketplaceViewProps {
  listings: ListState<Listing>;
  search: string;
  onSearch(search: string): void;
  capability: string;
  onCapability(capability: string): void;
  /** The listing whose change is under way. */
  busyId?: string;
  /** Absent for callers who may not enable agents. */
  onToggle?(listing: Listing): void;
}

export function MarketplaceView(props: MarketplaceViewProps) {
  const { listings, busyId, onToggle } = props;
  return (
    <div className="mx-auto max-w-[120rem]">
      <PageHeader title="Marketplace" aside="Agents that other tenants share, with their measured performance">
        <input
          type="search"
          aria-label="Find an agent"
          placeholder="Find an agent"
          value={props.search}
          onChange={(event) => props.onSearch(event.target.value)}
          className="field w-48!"
        />
        <SelectInput
          aria-label="Capability"
          className="w-auto!"
          value={props.capability}
          onChange={(event) => props.onCapability(event.target.value)}
        >
          <option value="">Any capability</option>
          {capabilityValues.map((capability) => (
            <option key={capability} value={capability}>
              {formatWords(capability)}
            </option>
          ))}
        </SelectInput>
      </PageHeader>
      <LoadedContent state={listings}>
        {({ items }) =>
          items.length === 0 ? (
            <div className="panel">
              <EmptyState title="No agent is offered.">
                Tenants offer an agent to others in the agent's settings. Agents that are offered to you appear here.
              </EmptyState>
            </div>
          ) : (
            <ul className="grid gap-3 sm:grid-cols-2 xl:grid-cols-3 2xl:grid-cols-4">
              {items.map((listing) => (
                <MarketplaceCard
                  key={listing.id}
                  listing={listing}
                  busy={listing.id === busyId}
                  onToggle={onToggle && (() => onToggle(listing))}
                />
              ))}
            </ul>
          )
        }
      </LoadedContent>
    </div>
  );
}
