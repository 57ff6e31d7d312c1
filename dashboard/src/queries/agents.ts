import { useQuery } from "@tanstack/react-query";
import { client, unwrap } from "@/api/client";
import type { AgentPatch, NewAgent } from "@/api/schema";
import { usePollInterval } from "@/hooks/use-poll-interval";

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
  const pollInterval = usePollInterval(4000);
  return useQuery({
    queryKey: agentKeys.list(filter),
    queryFn: ({ signal }) =>
      unwrap(client.GET("/api/v1/agents", { params: { query: { ...filter, limit: 200 } }, signal })),
    refetchInterval: pollInterval,
  });
}

export function useAgentStats() {
  const pollInterval = usePollInterval(4000);
  return useQuery({
    queryKey: agentKeys.stats,
    queryFn: ({ signal }) => unwrap(client.GET("/api/v1/agents/stats", { signal })),
    refetchInterval: pollInterval,
  });
}

export function useAgent(id: string) {
  const pollInterval = usePollInterval(4000);
  return useQuery({
    queryKey: agentKeys.one(id),
    queryFn: ({ signal }) => unwrap(client.GET("/api/v1/agents/{id}", { params: { path: { id } }, signal })),
    refetchInterval: pollInterval,
  });
}

export function useAgentPerformance(id: string) {
  return useQuery({
    queryKey: agentKeys.performance(id),
    queryFn: ({ signal }) =>
      unwrap(
        client.GET("/api/v1/agents/{id}/performance", { params: { path: { id }, query: { limit: 100 } }, signal }),
      ),
  });
}

export function useMarketplace(filter: MarketplaceFilter) {
  return useQuery({
    queryKey: agentKeys.marketplace(filter),
    queryFn: ({ signal }) =>
      unwrap(client.GET("/api/v1/marketplace", { params: { query: { ...filter, limit: 100 } }, signal })),
  });
}

const at = (id: string) => ({ params: { path: { id } } });

export const agentCalls = {
  register: (body: NewAgent) => unwrap(client.POST("/api/v1/agents", { body })),
  change: (id: string, body: AgentPatch) => unwrap(client.PATCH("/api/v1/agents/{id}", { ...at(id), body })),
  remove: (id: string, force: boolean) =>
    unwrap(client.DELETE("/api/v1/agents/{id}", { params: { path: { id }, query: { force } } })),
  enable: (id: string) => unwrap(client.PUT("/api/v1/marketplace/{id}", at(id))),
  disable: (id: string) => unwrap(client.DELETE("/api/v1/marketplace/{id}", at(id))),
};
