import { useQuery, useQueryClient } from "@tanstack/react-query";
import { client, take } from "../client";
import type { DatasetRecipe, NewTrainingJob, TrainingEvent, TrainingStatus } from "../schema";
import { usePace } from "./pace";
import { usePages } from "./pages";
import { tenantHeader } from "./tenancy";

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

const UNDER_WAY: readonly TrainingStatus[] = ["queued", "running", "evaluating"];

export function isUnderWay(status: TrainingStatus): boolean {
  return UNDER_WAY.includes(status);
}

/** The stream rings for states and progress; what a log says besides is looked for at this pace while a job is under way. */
const BESIDE = 8000;

export function useTrainingJobs(filter: TrainingFilter) {
  const pace = usePace(5000);
  return usePages(
    trainingKeys.list(filter),
    (cursor, signal) =>
      take(client.GET("/api/v1/fine-tuning/jobs", { params: { query: { ...filter, limit: 50, cursor } }, signal })),
    pace,
  );
}

const at = (id: string) => ({ params: { path: { id } } });

export function useTrainingJob(id: string) {
  const pace = usePace(2000);
  return useQuery({
    queryKey: trainingKeys.one(id),
    queryFn: ({ signal }) => take(client.GET("/api/v1/fine-tuning/jobs/{id}", { ...at(id), signal })),
    refetchInterval: (query) => {
      const job = query.state.data;
      return job && (isUnderWay(job.status) || job.stopping) ? Math.min(pace, BESIDE) : pace;
    },
  });
}

/** How many points of a curve are asked for: more than a screen has room for tell nothing more. */
const POINTS = 400;

export function useCurve(id: string, underWay: boolean) {
  const pace = usePace(2000);
  return useQuery({
    queryKey: trainingKeys.curve(id),
    queryFn: ({ signal }) =>
      take(
        client.GET("/api/v1/fine-tuning/jobs/{id}/curve", {
          params: { path: { id }, query: { points: POINTS } },
          signal,
        }),
      ),
    refetchInterval: underWay ? Math.min(pace, BESIDE) : false,
  });
}

const EVENTS = 200;

/** A job's log. Each look fetches only what came after the last event that is known. */
export function useTrainingEvents(id: string, underWay: boolean) {
  const pace = usePace(2000);
  const queries = useQueryClient();
  return useQuery({
    queryKey: trainingKeys.events(id),
    queryFn: async ({ signal }) => {
      let known = queries.getQueryData<TrainingEvent[]>(trainingKeys.events(id)) ?? [];
      for (;;) {
        const query = { after: known.at(-1)?.seq ?? 0, limit: EVENTS };
        const page = await take(
          client.GET("/api/v1/fine-tuning/jobs/{id}/events", { params: { path: { id }, query }, signal }),
        );
        const { items } = page as { items: TrainingEvent[] };
        if (items.length > 0) known = [...known, ...items];
        if (items.length < EVENTS) return known;
      }
    },
    refetchInterval: underWay ? Math.min(pace, BESIDE) : pace,
    staleTime: 0,
    structuralSharing: false,
  });
}

/** A dataset never changes; only how many of its sessions were deleted since does. */
export function useDataset(id: string) {
  return useQuery({
    queryKey: trainingKeys.dataset(id),
    queryFn: ({ signal }) => take(client.GET("/api/v1/fine-tuning/datasets/{id}", { ...at(id), signal })),
  });
}

export function useDatasetSessions(id: string) {
  return usePages(trainingKeys.datasetSessions(id), (cursor, signal) =>
    take(
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
    queryFn: ({ signal }) => take(client.GET("/api/v1/fine-tuning/providers", { signal })),
  });
}

export const trainingCalls = {
  preview: (body: DatasetRecipe) => take(client.POST("/api/v1/fine-tuning/datasets/preview", { body })),
  create: (body: NewTrainingJob) =>
    take(client.POST("/api/v1/fine-tuning/jobs", { params: { header: tenantHeader() }, body })),
  start: (id: string) => take(client.POST("/api/v1/fine-tuning/jobs/{id}/start", at(id))),
  cancel: (id: string) => take(client.POST("/api/v1/fine-tuning/jobs/{id}/cancel", at(id))),
  retry: (id: string) => take(client.POST("/api/v1/fine-tuning/jobs/{id}/retry", at(id))),
  poll: () => take(client.POST("/api/v1/fine-tuning/jobs/poll")),
};
