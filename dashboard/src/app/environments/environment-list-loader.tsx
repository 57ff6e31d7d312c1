"use client";

import { useEnvironments } from "@/queries/environments";
import { useHasPermission } from "@/queries/tenancy";
import { EnvironmentListView } from "./environment-list-view";

export function EnvironmentListLoader() {
  const environments = useEnvironments();
  const mayWrite = useHasPermission("environments:write");
  return <EnvironmentListView environments={environments} mayCreate={mayWrite} />;
}
