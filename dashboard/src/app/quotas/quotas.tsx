"use client";

import { useQuotas, useTenant } from "@/api/queries/tenancy";
import type { Quota, QuotaName } from "@/api/schema";
import { count, percent } from "@/components/format";
import { Meter } from "@/components/meter";
import { Facts, PageHead, Panel } from "@/components/page";
import { Failure, Loading } from "@/components/states";
import { Ago } from "@/components/time";

const TITLES: Readonly<Record<QuotaName, [string, string]>> = {
  concurrent_sessions: [
    "Running at once",
    "Running and degraded sessions. What is beyond waits, or is refused, as the admission says.",
  ],
  queued_sessions: ["Waiting", "Sessions in the queue. Beyond it, starting is refused."],
  tokens_per_month: [
    "Tokens of the month",
    "Reached, running sessions pause with their work kept, and go on when the month ends or the limit is raised.",
  ],
  calls_per_minute: [
    "Calls per minute",
    "Of everybody in the tenant together. Beyond it, calls are answered 429 with Retry-After.",
  ],
};

function One({ quota }: { quota: Quota }) {
  const [title, means] = TITLES[quota.name];
  const { used, limit } = quota;
  return (
    <li className="panel p-4">
      <div className="flex items-baseline gap-2">
        <h2 className="font-semibold">{title}</h2>
        {quota.resets_at && (
          <span className="ml-auto text-xs text-muted">
            begins anew <Ago at={quota.resets_at} />
          </span>
        )}
      </div>
      <p className="figure mt-2 text-2xl font-semibold">
        {used == null ? "–" : count(used)}
        <span className="text-sm font-normal text-muted"> {limit ? `of ${count(limit)}` : "no limit"}</span>
        {limit && used != null ? (
          <span className="float-right text-sm font-normal text-muted">{percent(used / limit)}</span>
        ) : null}
      </p>
      {limit ? <Meter used={used ?? 0} limit={limit} label={title} className="mt-2 h-2" /> : null}
      <p className="mt-2 text-xs text-muted">{means}</p>
    </li>
  );
}

export function Quotas() {
  const quotas = useQuotas();
  const tenant = useTenant();
  return (
    <div className="mx-auto max-w-6xl">
      <PageHead title="Quotas" aside={tenant.data?.name} />
      {quotas.isPending ? (
        <Loading />
      ) : quotas.isLoadingError ? (
        <Failure error={quotas.error} retry={() => void quotas.refetch()} />
      ) : (
        <ul className="grid gap-3 sm:grid-cols-2">
          {quotas.data.items.map((quota) => (
            <One key={quota.name} quota={quota} />
          ))}
        </ul>
      )}
      {tenant.data && (
        <Panel title="Tenant" className="mt-3">
          <Facts
            items={[
              [
                "Slug",
                <span key="s" className="figure">
                  {tenant.data.slug}
                </span>,
              ],
              [
                "Beyond the slots",
                tenant.data.admission === "queue" ? "sessions wait in the queue" : "sessions are refused",
              ],
              ["The audit log is kept", `${tenant.data.audit_retention_days} days`],
              ["People may sign up", tenant.data.signup ? `as ${tenant.data.signup_role}` : "no"],
              ["Made", <Ago key="m" at={tenant.data.created_at} />],
            ]}
          />
        </Panel>
      )}
    </div>
  );
}
