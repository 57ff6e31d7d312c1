"use client";

import { useDeferredValue, useState } from "react";
import { agentCalls, agentKeys, useMarketplace } from "@/api/queries/agents";
import { useMay } from "@/api/queries/tenancy";
import { capabilityValues, type Listing } from "@/api/schema";
import { Button } from "@/components/button";
import { duration, percent, usd, words } from "@/components/format";
import { Chip, PageHead } from "@/components/page";
import { Select } from "@/components/select";
import { Empty, Failure, Loading } from "@/components/states";
import { useAct } from "@/hooks/use-act";
import { TierSign } from "@/modules/agent/signs";

function Offer({ listing, mayWrite }: { listing: Listing; mayWrite: boolean }) {
  const turn = useAct(
    (on: boolean) =>
      on ? agentCalls.enable(listing.id).then(() => true) : agentCalls.disable(listing.id).then(() => false),
    {
      renews: [agentKeys.all],
      done: (on) => (on ? `${listing.name} can get your work now.` : `${listing.name} gets no more of your work.`),
    },
  );
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
        {mayWrite && (
          <Button
            small
            look={listing.enabled ? "plain" : "primary"}
            busy={turn.isPending}
            onClick={() => turn.mutate(!listing.enabled)}
          >
            {listing.enabled ? "Disable" : "Enable"}
          </Button>
        )}
      </div>
      {listing.description && <p className="line-clamp-2 text-[0.8125rem]">{listing.description}</p>}
      <dl className="grid grid-cols-4 gap-2 text-xs">
        {(
          [
            ["Success", success.rate != null ? percent(success.rate) : "–"],
            ["Finished", String(success.finished)],
            ["Half take", listing.p50_duration_ms != null ? duration(listing.p50_duration_ms / 1000) : "–"],
            ["A success", listing.cost_per_success_usd ? usd(listing.cost_per_success_usd) : "–"],
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
          with 95% confidence between {percent(success.interval.low)} and {percent(success.interval.high)}
        </p>
      )}
      <div className="mt-auto flex flex-wrap items-center gap-1">
        <span className="mr-auto text-xs">
          <TierSign tier={listing.tier} />
        </span>
        {listing.capabilities.slice(0, 3).map((one) => (
          <Chip key={one}>{words(one)}</Chip>
        ))}
        {listing.capabilities.length > 3 && <Chip>+{listing.capabilities.length - 3}</Chip>}
      </div>
    </li>
  );
}

export function Marketplace() {
  const [q, setQ] = useState("");
  const [capability, setCapability] = useState("");
  const filter = { q: useDeferredValue(q.trim()) || undefined, capability: capability || undefined };
  const listings = useMarketplace(filter);
  const mayWrite = useMay("agents:write");
  return (
    <div className="mx-auto max-w-[120rem]">
      <PageHead title="Marketplace" aside="Agents that other tenants share, with what was measured of them">
        <input
          type="search"
          aria-label="Find an agent"
          placeholder="Find an agent"
          value={q}
          onChange={(event) => setQ(event.target.value)}
          className="field w-48!"
        />
        <Select
          aria-label="Capability"
          className="w-auto!"
          value={capability}
          onChange={(event) => setCapability(event.target.value)}
        >
          <option value="">Any capability</option>
          {capabilityValues.map((one) => (
            <option key={one} value={one}>
              {words(one)}
            </option>
          ))}
        </Select>
      </PageHead>
      {listings.isPending ? (
        <Loading />
      ) : listings.isLoadingError ? (
        <Failure error={listings.error} retry={() => void listings.refetch()} />
      ) : listings.data.items.length === 0 ? (
        <div className="panel">
          <Empty title="Nothing is offered here.">
            Tenants share their agents with others on the agent itself; what they share with you stands here.
          </Empty>
        </div>
      ) : (
        <ul className="grid gap-3 sm:grid-cols-2 xl:grid-cols-3 2xl:grid-cols-4">
          {listings.data.items.map((listing) => (
            <Offer key={listing.id} listing={listing} mayWrite={mayWrite} />
          ))}
        </ul>
      )}
    </div>
  );
}
