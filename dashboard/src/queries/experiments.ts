import { useQuery } from "@tanstack/react-query";
import { client, unwrap } from "@/api/client";
import type { NewExperiment } from "@/api/schema";
import { usePollInterval } from "@/hooks/use-poll-interval";
import { usePagedQuery } from "./paged-query";

export const experimentKeys = {
  all: ["experiments"] as const,
  list: (status: string) => ["experiments", "list", status] as const,
  one: (id: string) => ["experiments", "one", id] as const,
  results: (id: string) => ["experiments", "results", id] as const,
};

/** The live stream reports sessions that end, but not a guardrail that stops an arm, so polling stays this frequent. */
const POLL_INTERVAL_MAX = 15_000;

export function useExperiments(status: string) {
  const pollInterval = usePollInterval(8000);
  return usePagedQuery(
    experimentKeys.list(status),
    (cursor, signal) =>
      unwrap(
        client.GET("/api/v1/experiments", {
          params: { query: { status: status || undefined, limit: 50, cursor } },
          signal,
        }),
      ),
    Math.min(pollInterval, POLL_INTERVAL_MAX),
  );
}

const at = (id: string) => ({ params: { path: { id } } });

export function useExperiment(id: string) {
  const pollInterval = usePollInterval(4000);
  return useQuery({
    queryKey: experimentKeys.one(id),
    queryFn: ({ signal }) => unwrap(client.GET("/api/v1/experiments/{id}", { ...at(id), signal })),
    refetchInterval: (query) =>
      query.state.data?.status === "running" ? Math.min(pollInterval, POLL_INTERVAL_MAX) : pollInterval,
  });
}

export function useExperimentResults(id: string, running: boolean) {
  const pollInterval = usePollInterval(4000);
  return useQuery({
    queryKey: experimentKeys.results(id),
    queryFn: ({ signal }) => unwrap(client.GET("/api/v1/experiments/{id}/results", { ...at(id), signal })),
    refetchInterval: running ? Math.min(pollInterval, POLL_INTERVAL_MAX) : false,
  });
}

export const experimentCalls = {
  create: (body: NewExperiment) => unwrap(client.POST("/api/v1/experiments", { body })),
  start: (id: string) => unwrap(client.POST("/api/v1/experiments/{id}/start", at(id))),
  stop: (id: string, reason?: string) =>
    unwrap(client.POST("/api/v1/experiments/{id}/stop", { ...at(id), body: { reason } })),
  promote: (id: string, arm: string, alias: string) =>
    unwrap(client.POST("/api/v1/experiments/{id}/promote", { ...at(id), body: { arm, alias } })),
};
