import { useQuery } from "@tanstack/react-query";
import { client, unwrap } from "@/api/client";
import type { NewEnrolment } from "@/api/fleet-types";
import { usePollInterval } from "@/hooks/use-poll-interval";
import { usePagedQuery } from "./paged-query";

export const runnerKeys = {
  all: ["runners"] as const,
  list: (filter: RunnerFilter) => ["runners", "list", filter] as const,
  pool: (pool: string) => ["runners", "pool", pool] as const,
  one: (id: string) => ["runners", "one", id] as const,
  enrolments: ["runners", "enrolments"] as const,
};

export interface RunnerFilter {
  /** States, separated by commas. */
  state?: string;
  pool?: string;
}

/** The live stream reports only changes of a runner's state, so busy slots and signs of life are polled. */
const FIGURES_INTERVAL = 10_000;

/** How often to check whether a new runner of a pool has called. */
const ENROLMENT_INTERVAL = 2000;

function useFiguresInterval(): number {
  return Math.min(usePollInterval(4000), FIGURES_INTERVAL);
}

export function useRunners(filter: RunnerFilter) {
  const pollInterval = useFiguresInterval();
  return usePagedQuery(
    runnerKeys.list(filter),
    (cursor, signal) =>
      unwrap(client.GET("/api/v1/runners", { params: { query: { ...filter, cursor, limit: 100 } }, signal })),
    pollInterval,
  );
}

/** The newest runners of a pool, read often while somebody waits for the next one to register. */
export function useNewestRunners(pool: string) {
  return useQuery({
    queryKey: runnerKeys.pool(pool),
    queryFn: ({ signal }) => unwrap(client.GET("/api/v1/runners", { params: { query: { pool, limit: 50 } }, signal })),
    refetchInterval: ENROLMENT_INTERVAL,
    staleTime: 0,
  });
}

export function useRunner(id: string) {
  const pollInterval = useFiguresInterval();
  return useQuery({
    queryKey: runnerKeys.one(id),
    queryFn: ({ signal }) => unwrap(client.GET("/api/v1/runners/{id}", { params: { path: { id } }, signal })),
    refetchInterval: pollInterval,
  });
}

/** The enrolments that are still valid. Only leads may read them. */
export function useEnrolments(enabled: boolean) {
  const pollInterval = useFiguresInterval();
  return useQuery({
    queryKey: runnerKeys.enrolments,
    queryFn: ({ signal }) =>
      unwrap(client.GET("/api/v1/runners/enrolments", { params: { query: { limit: 100 } }, signal })),
    refetchInterval: pollInterval,
    enabled,
  });
}

const at = (id: string) => ({ params: { path: { id } } });

export const runnerCalls = {
  enrol: (body: NewEnrolment) => unwrap(client.POST("/api/v1/runners/enrolments", { body })),
  deleteEnrolment: (id: string) => unwrap(client.DELETE("/api/v1/runners/enrolments/{id}", at(id))),
  drain: (id: string) => unwrap(client.POST("/api/v1/runners/{id}/drain", at(id))),
  resume: (id: string) => unwrap(client.POST("/api/v1/runners/{id}/resume", at(id))),
  remove: (id: string) => unwrap(client.DELETE("/api/v1/runners/{id}", at(id))),
};
