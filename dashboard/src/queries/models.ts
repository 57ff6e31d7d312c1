import { useQuery } from "@tanstack/react-query";
import { client, unwrap } from "@/api/client";
import type { ModelVersionPatch, NewBaseModel, NewModelVersion } from "@/api/schema";
import { usePollInterval } from "@/hooks/use-poll-interval";
import { usePagedQuery } from "./paged-query";

export const modelKeys = {
  all: ["models"] as const,
  list: (q: string) => ["models", "list", q] as const,
  one: (name: string) => ["models", "one", name] as const,
  versions: (name: string, archived: boolean) => ["models", "versions", name, archived] as const,
  version: (name: string, version: string) => ["models", "version", name, version] as const,
  history: (name: string, alias: string) => ["models", "history", name, alias] as const,
  compared: (name: string, a: string, b: string) => ["models", "compared", name, a, b] as const,
  ofSession: (id: string) => ["models", "of-session", id] as const,
  base: ["models", "base"] as const,
};

export function useModels(q = "") {
  const pollInterval = usePollInterval(10_000);
  return usePagedQuery(
    modelKeys.list(q),
    (cursor, signal) =>
      unwrap(client.GET("/api/v1/models", { params: { query: { q: q || undefined, limit: 100, cursor } }, signal })),
    pollInterval,
  );
}

export function useModel(name: string) {
  const pollInterval = usePollInterval(10_000);
  return useQuery({
    queryKey: modelKeys.one(name),
    queryFn: ({ signal }) => unwrap(client.GET("/api/v1/models/{name}", { params: { path: { name } }, signal })),
    refetchInterval: pollInterval,
  });
}

export function useModelVersions(name: string, archived: boolean) {
  return usePagedQuery(modelKeys.versions(name, archived), (cursor, signal) =>
    unwrap(
      client.GET("/api/v1/models/{name}/versions", {
        // Without the filter, the API returns all versions.
        params: { path: { name }, query: { archived: archived ? undefined : false, limit: 50, cursor } },
        signal,
      }),
    ),
  );
}

export function useModelVersion(name: string, version: string) {
  return useQuery({
    queryKey: modelKeys.version(name, version),
    queryFn: ({ signal }) =>
      unwrap(client.GET("/api/v1/models/{name}/versions/{version}", { params: { path: { name, version } }, signal })),
  });
}

export function useAliasHistory(name: string, alias: string) {
  return usePagedQuery(modelKeys.history(name, alias), (cursor, signal) =>
    unwrap(
      client.GET("/api/v1/models/{name}/aliases/{alias}/history", {
        params: { path: { name, alias }, query: { limit: 50, cursor } },
        signal,
      }),
    ),
  );
}

export function useVersionComparison(name: string, a: string, b: string) {
  return useQuery({
    queryKey: modelKeys.compared(name, a, b),
    queryFn: ({ signal }) =>
      unwrap(client.GET("/api/v1/models/{name}/compare", { params: { path: { name }, query: { a, b } }, signal })),
  });
}

/** The versions that were trained on a session, or evaluated with it. */
export function useModelsOfSession(id: string, enabled = true) {
  return useQuery({
    queryKey: modelKeys.ofSession(id),
    queryFn: ({ signal }) => unwrap(client.GET("/api/v1/sessions/{id}/models", { params: { path: { id } }, signal })),
    enabled,
  });
}

export function useBaseModels() {
  return usePagedQuery(modelKeys.base, (cursor, signal) =>
    unwrap(client.GET("/api/v1/base-models", { params: { query: { limit: 50, cursor } }, signal })),
  );
}

const aliased = (name: string, alias: string) => ({ params: { path: { name, alias } } });

export const modelCalls = {
  register: (body: NewModelVersion) => unwrap(client.POST("/api/v1/models", { body })),
  change: (name: string, version: string, body: ModelVersionPatch) =>
    unwrap(client.PATCH("/api/v1/models/{name}/versions/{version}", { params: { path: { name, version } }, body })),
  moveAlias: (name: string, alias: string, version: string) =>
    unwrap(client.PUT("/api/v1/models/{name}/aliases/{alias}", { ...aliased(name, alias), body: { version } })),
  rollBackAlias: (name: string, alias: string) =>
    unwrap(client.POST("/api/v1/models/{name}/aliases/{alias}/rollback", aliased(name, alias))),
  removeAlias: (name: string, alias: string) =>
    unwrap(client.DELETE("/api/v1/models/{name}/aliases/{alias}", aliased(name, alias))),
  saveBaseModel: (body: NewBaseModel) => unwrap(client.PUT("/api/v1/base-models", { body })),
};
