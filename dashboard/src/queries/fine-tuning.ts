import { useQuery, useQueryClient } from "@tanstack/react-query";
import { client, unwrap } from "@/api/client";
import type { DatasetRecipe, NewTrainingJob, TrainingEvent, TrainingStatus } from "@/api/schema";
import { usePollInterval } from "@/hooks/use-poll-interval";
import { usePagedQuery } from "./paged-query";

export interface TrainingFilter {
  status?: string;
  provider?: string;
  q?: string;
}

export const trainingKeys = {
  all: ["training"] as const,
  lists: ["training", "list"] as const,
  list: (filter: TrainingFilter) => ["training", "list", filter] as const,
  one: (id: string) => ["training", "one", id] as const,
  events: (id: string) => ["training", "events", id] as const,
  curve: (id: string) => ["training", "curve", id] as const,
  dataset: (id: string) => ["training", "dataset", id] as const,
  datasetSessions: (id: string) => ["training", "dataset-sessions", id] as const,
  providers: ["training", "providers"] as const,
};

const UNFINISHED_STATES: readonly TrainingStatus[] = ["queued", "running", "evaluating"];

export function isUnfinished(status: TrainingStatus): boolean {
  return UNFINISHED_STATES.includes(status);
}

/** The live stream reports states and progress, but not log entries: an unfinished job is polled at least this often. */
const LOG_POLL_INTERVAL_MAX = 8000;

export function useTrainingJobs(filter: TrainingFilter) {
  const pollInterval = usePollInterval(5000);
  return usePagedQuery(
    trainingKeys.list(filter),
    (cursor, signal) =>
      unwrap(client.GET("/api/v1/fine-tuning/jobs", { params: { query: { ...filter, limit: 50, cursor } }, signal })),
    pollInterval,
  );
}

const at = (id: string) => ({ params: { path: { id } } });

export function useTrainingJob(id: string) {
  const pollInterval = usePollInterval(2000);
  return useQuery({
    queryKey: trainingKeys.one(id),
    queryFn: ({ signal }) => unwrap(client.GET("/api/v1/fine-tuning/jobs/{id}", { ...at(id), signal })),
    refetchInterval: (query) => {
      const job = query.state.data;
      return job && (isUnfinished(job.status) || job.stopping)
        ? Math.min(pollInterval, LOG_POLL_INTERVAL_MAX)
        : pollInterval;
    },
  });
}

/** How many points of a curve are requested. A screen cannot show more. */
const CURVE_POINTS = 400;

export function useLossCurve(id: string, underWay: boolean) {
  const pollInterval = usePollInterval(2000);
  return useQuery({
    queryKey: trainingKeys.curve(id),
    queryFn: ({ signal }) =>
      unwrap(
        client.GET("/api/v1/fine-tuning/jobs/{id}/curve", {
          params: { path: { id }, query: { points: CURVE_POINTS } },
          signal,
        }),
      ),
    refetchInterval: underWay ? Math.min(pollInterval, LOG_POLL_INTERVAL_MAX) : false,
  });
}

const EVENT_PAGE_SIZE = 200;

/** A job's log. Each read fetches only the events after the last known one. */
export function useTrainingEvents(id: string, underWay: boolean) {
  const pollInterval = usePollInterval(2000);
  const queries = useQueryClient();
  return useQuery({
    queryKey: trainingKeys.events(id),
    queryFn: async ({ signal }) => {
      let known = queries.getQueryData<TrainingEvent[]>(trainingKeys.events(id)) ?? [];
      for (;;) {
        const query = { after: known.at(-1)?.seq ?? 0, limit: EVENT_PAGE_SIZE };
        const page = await unwrap(
          client.GET("/api/v1/fine-tuning/jobs/{id}/events", { params: { path: { id }, query }, signal }),
        );
        const { items, next_cursor } = page as { items: TrainingEvent[]; next_cursor: string | null };
        if (items.length > 0) known = [...known, ...items];
        if (next_cursor === null) return known;
      }
    },
    refetchInterval: underWay ? Math.min(pollInterval, LOG_POLL_INTERVAL_MAX) : pollInterval,
    staleTime: 0,
    structuralSharing: false,
  });
}

/** A dataset never changes, except for the number of its sessions that were deleted. */
export function useDataset(id: string) {
  return useQuery({
    queryKey: trainingKeys.dataset(id),
    queryFn: ({ signal }) => unwrap(client.GET("/api/v1/fine-tuning/datasets/{id}", { ...at(id), signal })),
  });
}

export function useDatasetSessions(id: string) {
  return usePagedQuery(trainingKeys.datasetSessions(id), (cursor, signal) =>
    unwrap(
      client.GET("/api/v1/fine-tuning/datasets/{id}/sessions", {
        params: { path: { id }, query: { limit: 50, cursor } },
        signal,
      }),
    ),
  );
}

export function useTrainingProviders() {
  return useQuery({
    queryKey: trainingKeys.providers,
    queryFn: ({ signal }) => unwrap(client.GET("/api/v1/fine-tuning/providers", { signal })),
  });
}

export const trainingCalls = {
  preview: (body: DatasetRecipe) => unwrap(client.POST("/api/v1/fine-tuning/datasets/preview", { body })),
  create: (body: NewTrainingJob) => unwrap(client.POST("/api/v1/fine-tuning/jobs", { body })),
  start: (id: string) => unwrap(client.POST("/api/v1/fine-tuning/jobs/{id}/start", at(id))),
  cancel: (id: string) => unwrap(client.POST("/api/v1/fine-tuning/jobs/{id}/cancel", at(id))),
  retry: (id: string) => unwrap(client.POST("/api/v1/fine-tuning/jobs/{id}/retry", at(id))),
  poll: () => unwrap(client.POST("/api/v1/fine-tuning/jobs/poll")),
};
