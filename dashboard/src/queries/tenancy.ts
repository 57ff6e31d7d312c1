import { useQuery, useQueryClient } from "@tanstack/react-query";
import { client, unwrap } from "@/api/client";
import { isAtLeast } from "@/api/roles";
import type { Me, NewKey, NewTenant, NewUser, TenantPatch, UserPatch } from "@/api/schema";
import { usePollInterval } from "@/hooks/use-poll-interval";
import { usePagedQuery } from "./paged-query";

export const tenancyKeys = {
  me: ["me"] as const,
  tenant: ["tenant"] as const,
  quotas: ["tenant", "quotas"] as const,
  tenants: ["tenants"] as const,
  users: ["users"] as const,
  keys: ["api-keys"] as const,
  audit: (filter: AuditFilter) => ["audit", filter] as const,
};

export function useMe() {
  return useQuery({
    queryKey: tenancyKeys.me,
    queryFn: ({ signal }) => unwrap(client.GET("/api/v1/me", { signal })),
    staleTime: 5 * 60_000,
  });
}

/** Whether the caller has a permission, such as `sessions:write`. False until it is known. */
export function useHasPermission(permission: string): boolean {
  const me = useQueryClient().getQueryData<Me>(tenancyKeys.me);
  return me?.permissions.includes(permission) ?? false;
}

/** Whether the caller is a lead or an admin, and has a permission that members have as well. False until it is known. */
export function useHasLeadPermission(permission: string): boolean {
  const me = useQueryClient().getQueryData<Me>(tenancyKeys.me);
  return me !== undefined && isAtLeast(me.role, "lead") && me.permissions.includes(permission);
}

export function useTenant() {
  return useQuery({
    queryKey: tenancyKeys.tenant,
    queryFn: ({ signal }) => unwrap(client.GET("/api/v1/tenant", { signal })),
  });
}

export function useQuotas() {
  const pollInterval = usePollInterval(5000);
  return useQuery({
    queryKey: tenancyKeys.quotas,
    queryFn: ({ signal }) => unwrap(client.GET("/api/v1/tenant/quotas", { signal })),
    refetchInterval: pollInterval,
  });
}

export function useTenants(q: string, enabled: boolean) {
  return useQuery({
    queryKey: [...tenancyKeys.tenants, q],
    queryFn: ({ signal }) =>
      unwrap(client.GET("/api/v1/tenants", { params: { query: { q: q || undefined, limit: 100 } }, signal })),
    enabled,
  });
}

export function useUsers() {
  return useQuery({
    queryKey: tenancyKeys.users,
    queryFn: ({ signal }) => unwrap(client.GET("/api/v1/users", { params: { query: { limit: 200 } }, signal })),
  });
}

export function useApiKeys() {
  return useQuery({
    queryKey: tenancyKeys.keys,
    queryFn: ({ signal }) => unwrap(client.GET("/api/v1/api-keys", { params: { query: { limit: 200 } }, signal })),
  });
}

export interface AuditFilter {
  action?: string;
  object_kind?: string;
  object_id?: string;
}

/** The audit log, newest first. Its cursor is the sequence number of the last entry that was read. */
export function useAuditLog(filter: AuditFilter) {
  return usePagedQuery(tenancyKeys.audit(filter), (cursor, signal) => {
    const query = { ...filter, cursor: cursor ? Number(cursor) : undefined, limit: 100 };
    return unwrap(client.GET("/api/v1/audit", { params: { query }, signal }));
  });
}

const at = (id: string) => ({ params: { path: { id } } });

export const tenancyCalls = {
  createKey: (body: NewKey) => unwrap(client.POST("/api/v1/api-keys", { body })),
  revokeKey: (id: string) => unwrap(client.DELETE("/api/v1/api-keys/{id}", at(id))),
  rotateKey: (id: string) => unwrap(client.POST("/api/v1/api-keys/{id}/rotate", { ...at(id), body: {} })),
  createUser: (body: NewUser) => unwrap(client.POST("/api/v1/users", { body })),
  changeUser: (id: string, body: UserPatch) => unwrap(client.PATCH("/api/v1/users/{id}", { ...at(id), body })),
  createTenant: (body: NewTenant) => unwrap(client.POST("/api/v1/tenants", { body })),
  changeTenant: (id: string, body: TenantPatch) => unwrap(client.PATCH("/api/v1/tenants/{id}", { ...at(id), body })),
  setTrainingConsent: (training_consent: boolean) =>
    unwrap(client.PATCH("/api/v1/tenant", { body: { training_consent } })),
  verifyAudit: () => unwrap(client.GET("/api/v1/audit/verify")),
};
