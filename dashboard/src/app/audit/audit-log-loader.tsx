"use client";

import { useDeferredValue, useState } from "react";
import { useAuditLog } from "@/queries/tenancy";
import { AuditChainCheck } from "./audit-chain-check";
import { type AuditLogFilter, AuditLogView } from "./audit-log-view";

export function AuditLogLoader() {
  const [filter, setFilter] = useState<AuditLogFilter>({ action: "", kind: "" });
  const action = useDeferredValue(filter.action.trim());
  const entries = useAuditLog({ action: action || undefined, object_kind: filter.kind || undefined });
  return <AuditLogView entries={entries} filter={filter} onFilter={setFilter} chainCheck={<AuditChainCheck />} />;
}
