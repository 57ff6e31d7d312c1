"use client";

import type { Quota, QuotaName, Tenant } from "@/api/schema";
import { formatCount, formatPercent } from "@/components/format";
import type { ListState } from "@/components/load-state";
import { LoadedContent } from "@/components/loaded-content";
import { FactList, PageHeader, SectionPanel } from "@/components/page-layout";
import { RelativeTime } from "@/components/relative-time";
import { UsageMeter } from "@/components/usage-meter";

const TITLES: Readonly<Record<QuotaName, [string, string]>> = {
  concurrent_sessions: [
    "Running at once",
    "Running, degraded and offered sessions. Beyond the limit, sessions wait or are refused, as the admission setting says.",
  ],
  queued_sessions: ["Waiting", "Sessions in the queue. Beyond the limit, a session cannot be started."],
  tokens_per_month: [
    "Tokens this month",
    "At the limit, running sessions pause and keep their work. They resume when the month ends or the limit is raised.",
  ],
  calls_per_minute: [
    "Calls per minute",
    "All callers of the tenant together. Beyond the limit, calls are answered with 429 and Retry-After.",
  ],
  open_sessions: ["Open sessions", "Sessions that have not ended. Beyond the limit, no session can be created."],
  stored_bytes: [
    "Stored bytes",
    "Events and artifacts of all sessions, counted once a minute. Beyond the limit, no session can be created.",
  ],
  api_keys: ["API keys", "Keys that are valid. Beyond the limit, no key can be created."],
  agents: ["Agents", "Agents that are registered. Beyond the limit, no agent can be created."],
};

function QuotaCard({ quota }: { quota: Quota }) {
  const [title, description] = TITLES[quota.name];
  const { used, limit } = quota;
  return (
    <li className="panel p-4">
      <div className="flex items-baseline gap-2">
        <h2 className="font-semibold">{title}</h2>
        {quota.resets_at && (
          <span className="ml-auto text-xs text-muted">
            resets <RelativeTime at={quota.resets_at} />
          </span>
        )}
      </div>
      <p className="figure mt-2 text-2xl font-semibold">
        {used == null ? "–" : formatCount(used)}
        <span className="text-sm font-normal text-muted"> {limit ? `of ${formatCount(limit)}` : "no limit"}</span>
        {limit && used != null ? (
          <span className="float-right text-sm font-normal text-muted">{formatPercent(used / limit)}</span>
        ) : null}
      </p>
      {limit ? <UsageMeter used={used ?? 0} limit={limit} label={title} className="mt-2 h-2" /> : null}
      <p className="mt-2 text-xs text-muted">{description}</p>
    </li>
  );
}

interface QuotaListViewProps {
  quotas: ListState<Quota>;
  tenant?: Tenant;
}

export function QuotaListView({ quotas, tenant }: QuotaListViewProps) {
  return (
    <div className="mx-auto max-w-6xl">
      <PageHeader title="Quotas" aside={tenant?.name} />
      <LoadedContent state={quotas}>
        {({ items }) => (
          <ul className="grid gap-3 sm:grid-cols-2">
            {items.map((quota) => (
              <QuotaCard key={quota.name} quota={quota} />
            ))}
          </ul>
        )}
      </LoadedContent>
      {tenant && (
        <SectionPanel title="Tenant" className="mt-3">
          <FactList
            items={[
              [
                "Slug",
                <span key="s" className="figure">
                  {tenant.slug}
                </span>,
              ],
              [
                "Admission when all slots are in use",
                tenant.admission === "queue" ? "sessions wait in the queue" : "sessions are refused",
              ],
              [
                "Audit log retention",
                tenant.audit_retention_days === 0 ? "unlimited" : `${tenant.audit_retention_days} days`,
              ],
              ["Sign-up", tenant.signup ? `people join as ${tenant.signup_role}` : "off"],
              ["Created", <RelativeTime key="m" at={tenant.created_at} />],
            ]}
          />
        </SectionPanel>
      )}
    </div>
  );
}
