"use client";

import { useQuotas, useTenant } from "@/queries/tenancy";
import { QuotaListView } from "./quota-list-view";

export function QuotaListLoader() {
  const quotas = useQuotas();
  const tenant = useTenant();
  return <QuotaListView quotas={quotas} tenant={tenant.data} />;
}
