import { useQuery } from "@tanstack/react-query";
import { client, take } from "../client";
import type { NewExperiment } from "../schema";
import { usePace } from "./pace";
import { usePages } from "./pages";
import { tenantHeader } from "./tenancy";

export const experimentKeys = {
  all: ["experiments"] as const,
  list: (status: string) => ["experiments", "list", status] as const,
  one: (id: string) => ["experiments", "one", id] as const,
  results: (id: string) => ["experiments", "results", id] as const,
};

/** The stream tells of the sessions that end, not of a guardrail that stops an arm meanwhile. */
const BESIDE = 15_000;

export function useExperiments(status: string) {
  const pace = usePace(8000);
  return usePages(
    experimentKeys.list(status),
    (cursor, signal) =>
      take(
        client.GET("/api/v1/experiments", {
          params: { query: { status: status || undefined, limit: 50, cursor } },
          signal,
        }),
      ),
    Math.min(pace, BESIDE),
  );
}

const at = (id: string) => ({ params: { path: { id } } });

export function useExperiment(id: string) {
  const pace = usePace(4000);
  return useQuery({
    queryKey: experimentKeys.one(id),
    queryFn: ({ signal }) => take(client.GET("/api/v1/experiments/{id}", { ...at(id), signal })),
    refetchInterval: (query) => (query.state.data?.status === "running" ? Math.min(pace, BESIDE) : pace),
  });
}

export function useExperimentResults(id: string, running: boolean) {
  const pace = usePace(4000);
  return useQuery({
    queryKey: experimentKeys.results(id),
    queryFn: ({ signal }) => take(client.GET("/api/v1/experiments/{id}/results", { ...at(id), signal })),
    refetchInterval: running ? Math.min(pace, BESIDE) : false,
  });
}

export const experimentCalls = {
  create: (body: NewExperiment) =>
    take(client.POST("/api/v1/experiments", { params: { header: tenantHeader() }, body })),
  start: (id: string) => take(client.POST("/api/v1/experiments/{id}/start", at(id))),
  stop: (id: string, reason?: string) =>
    take(client.POST("/api/v1/experiments/{id}/stop", { ...at(id), body: { reason } })),
  promote: (id: string, arm: string, alias: string) =>
    take(client.POST("/api/v1/experiments/{id}/promote", { ...at(id), body: { arm, alias } })),
};
