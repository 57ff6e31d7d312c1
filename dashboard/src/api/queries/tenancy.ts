import { useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { client, take } from "../client";
import { credential } from "../credential";
import type { Me, NewKey, NewTenant, NewUser, TenantPatch, UserPatch } from "../schema";
import { usePace } from "./pace";

export const tenancyKeys = {
  me: ["me"] as const,
  tenant: ["tenant"] as const,
  quotas: ["tenant", "quotas"] as const,
  tenants: ["tenants"] as const,
  users: ["users"] as const,
  keys: ["api-keys"] as const,
  audit: (filter: AuditFilter) => ["audit", filter] as const,
};

let ownTenant = "";

/** Creating requests must name their tenant: the one that was switched to, else the key's own. */
export function tenantHeader(): { "X-Tenant-ID": string } {
  return { "X-Tenant-ID": credential.get()?.tenant ?? ownTenant };
}

export function useMe() {
  return useQuery({
    queryKey: tenancyKeys.me,
    queryFn: async ({ signal }) => {
      const me = await take(client.GET("/api/v1/me", { signal }));
      ownTenant = me.tenant.slug;
      return me;
    },
    staleTime: 5 * 60_000,
  });
}

/** Whether the caller may do something, such as `sessions:write`. False until it is known. */
export function useMay(permission: string): boolean {
  const me = useQueryClient().getQueryData<Me>(tenancyKeys.me);
  return me?.permissions.includes(permission) ?? false;
}

export function useTenant() {
  return useQuery({
    queryKey: tenancyKeys.tenant,
    queryFn: ({ signal }) => take(client.GET("/api/v1/tenant", { signal })),
  });
}

export function useQuotas() {
  const pace = usePace(5000);
  return useQuery({
    queryKey: tenancyKeys.quotas,
    queryFn: ({ signal }) => take(client.GET("/api/v1/tenant/quotas", { signal })),
    refetchInterval: pace,
  });
}

export function useTenants(q: string, enabled: boolean) {
  return useQuery({
    queryKey: [...tenancyKeys.tenants, q],
    queryFn: ({ signal }) =>
      take(client.GET("/api/v1/tenants", { params: { query: { q: q || undefined, limit: 100 } }, signal })),
    enabled,
  });
}

export function useUsers() {
  return useQuery({
    queryKey: tenancyKeys.users,
    queryFn: ({ signal }) => take(client.GET("/api/v1/users", { params: { query: { limit: 200 } }, signal })),
  });
}

export function useKeys() {
  return useQuery({
    queryKey: tenancyKeys.keys,
    queryFn: ({ signal }) => take(client.GET("/api/v1/api-keys", { params: { query: { limit: 200 } }, signal })),
  });
}

export interface AuditFilter {
  action?: string;
  object_kind?: string;
  object_id?: string;
}

export function useAudit(filter: AuditFilter) {
  return useInfiniteQuery({
    queryKey: tenancyKeys.audit(filter),
    queryFn: ({ pageParam, signal }) =>
      take(client.GET("/api/v1/audit", { params: { query: { ...filter, cursor: pageParam, limit: 100 } }, signal })),
    initialPageParam: undefined as number | undefined,
    getNextPageParam: (last) => (last.next_cursor ? Number(last.next_cursor) : undefined),
  });
}

const at = (id: string) => ({ params: { path: { id } } });

export const tenancyCalls = {
  createKey: (body: NewKey) => take(client.POST("/api/v1/api-keys", { params: { header: tenantHeader() }, body })),
  revokeKey: (id: string) => take(client.DELETE("/api/v1/api-keys/{id}", at(id))),
  rotateKey: (id: string) => take(client.POST("/api/v1/api-keys/{id}/rotate", { ...at(id), body: {} })),
  createUser: (body: NewUser) => take(client.POST("/api/v1/users", { params: { header: tenantHeader() }, body })),
  changeUser: (id: string, body: UserPatch) => take(client.PATCH("/api/v1/users/{id}", { ...at(id), body })),
  createTenant: (body: NewTenant) => take(client.POST("/api/v1/tenants", { body })),
  changeTenant: (id: string, body: TenantPatch) => take(client.PATCH("/api/v1/tenants/{id}", { ...at(id), body })),
  consent: (training_consent: boolean) => take(client.PATCH("/api/v1/tenant", { body: { training_consent } })),
  verifyAudit: () => take(client.GET("/api/v1/audit/verify")),
};
