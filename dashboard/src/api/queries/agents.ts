import { useQuery } from "@tanstack/react-query";
import { client, take } from "../client";
import type { AgentPatch, NewAgent } from "../schema";
import { usePace } from "./pace";
import { tenantHeader } from "./tenancy";

export const agentKeys = {
  all: ["agents"] as const,
  list: (filter: AgentFilter) => ["agents", "list", filter] as const,
  one: (id: string) => ["agents", "one", id] as const,
  performance: (id: string) => ["agents", "performance", id] as const,
  stats: ["agents", "stats"] as const,
  marketplace: (filter: MarketplaceFilter) => ["agents", "marketplace", filter] as const,
};

export interface AgentFilter {
  status?: string;
  kind?: string;
  q?: string;
}

export interface MarketplaceFilter {
  capability?: string;
  q?: string;
}

export function useAgents(filter: AgentFilter = {}) {
  const pace = usePace(4000);
  return useQuery({
    queryKey: agentKeys.list(filter),
    queryFn: ({ signal }) =>
      take(client.GET("/api/v1/agents", { params: { query: { ...filter, limit: 200 } }, signal })),
    refetchInterval: pace,
  });
}

export function useAgentStats() {
  const pace = usePace(4000);
  return useQuery({
    queryKey: agentKeys.stats,
    queryFn: ({ signal }) => take(client.GET("/api/v1/agents/stats", { signal })),
    refetchInterval: pace,
  });
}

export function useAgent(id: string) {
  const pace = usePace(4000);
  return useQuery({
    queryKey: agentKeys.one(id),
    queryFn: ({ signal }) => take(client.GET("/api/v1/agents/{id}", { params: { path: { id } }, signal })),
    refetchInterval: pace,
  });
}

export function usePerformance(id: string) {
  return useQuery({
    queryKey: agentKeys.performance(id),
    queryFn: ({ signal }) =>
      take(client.GET("/api/v1/agents/{id}/performance", { params: { path: { id }, query: { limit: 100 } }, signal })),
  });
}

export function useMarketplace(filter: MarketplaceFilter) {
  return useQuery({
    queryKey: agentKeys.marketplace(filter),
    queryFn: ({ signal }) =>
      take(client.GET("/api/v1/marketplace", { params: { query: { ...filter, limit: 100 } }, signal })),
  });
}

const at = (id: string) => ({ params: { path: { id } } });

export const agentCalls = {
  register: (body: NewAgent) => take(client.POST("/api/v1/agents", { params: { header: tenantHeader() }, body })),
  change: (id: string, body: AgentPatch) => take(client.PATCH("/api/v1/agents/{id}", { ...at(id), body })),
  remove: (id: string, force: boolean) =>
    take(client.DELETE("/api/v1/agents/{id}", { params: { path: { id }, query: { force } } })),
  enable: (id: string) => take(client.PUT("/api/v1/marketplace/{id}", at(id))),
  disable: (id: string) => take(client.DELETE("/api/v1/marketplace/{id}", at(id))),
};
