"use client";

import { useDeferredValue, useState } from "react";
import type { Listing } from "@/api/schema";
import { useAction } from "@/hooks/use-action";
import { agentCalls, agentKeys, useMarketplace } from "@/queries/agents";
import { useHasPermission } from "@/queries/tenancy";
import { MarketplaceView } from "./marketplace-view";

async function toggleListing({ id, name, enabled }: Listing) {
  await (enabled ? agentCalls.disable(id) : agentCalls.enable(id));
  return enabled ? `${name} gets no more of your work.` : `${name} can now get your work.`;
}

export function MarketplaceLoader() {
  const [search, setSearch] = useState("");
  const [capability, setCapability] = useState("");
  const deferredSearch = useDeferredValue(search.trim());
  const listings = useMarketplace({ q: deferredSearch || undefined, capability: capability || undefined });
  const mayWrite = useHasPermission("agents:write");
  const toggle = useAction(toggleListing, { invalidates: [agentKeys.all], successMessage: (message) => message });
  return (
    <MarketplaceView
      listings={listings}
      search={search}
      onSearch={setSearch}
      capability={capability}
      onCapability={setCapability}
      busyId={toggle.isPending ? toggle.variables.id : undefined}
      onToggle={mayWrite ? toggle.mutate : undefined}
    />
  );
}
