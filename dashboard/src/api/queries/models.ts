import { useQuery } from "@tanstack/react-query";
import { client, take } from "../client";
import type { ModelVersionPatch, NewBaseModel, NewModelVersion } from "../schema";
import { usePace } from "./pace";
import { usePages } from "./pages";
import { tenantHeader } from "./tenancy";

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
  const pace = usePace(10_000);
  return usePages(
    modelKeys.list(q),
    (cursor, signal) =>
      take(client.GET("/api/v1/models", { params: { query: { q: q || undefined, limit: 100, cursor } }, signal })),
    pace,
  );
}

export function useModel(name: string) {
  const pace = usePace(10_000);
  return useQuery({
    queryKey: modelKeys.one(name),
    queryFn: ({ signal }) => take(client.GET("/api/v1/models/{name}", { params: { path: { name } }, signal })),
    refetchInterval: pace,
  });
}

export function useModelVersions(name: string, archived: boolean) {
  return usePages(modelKeys.versions(name, archived), (cursor, signal) =>
    take(
      client.GET("/api/v1/models/{name}/versions", {
        // Without the filter all are answered.
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
      take(client.GET("/api/v1/models/{name}/versions/{version}", { params: { path: { name, version } }, signal })),
  });
}

export function useAliasHistory(name: string, alias: string) {
  return usePages(modelKeys.history(name, alias), (cursor, signal) =>
    take(
      client.GET("/api/v1/models/{name}/aliases/{alias}/history", {
        params: { path: { name, alias }, query: { limit: 50, cursor } },
        signal,
      }),
    ),
  );
}

export function useCompared(name: string, a: string, b: string) {
  return useQuery({
    queryKey: modelKeys.compared(name, a, b),
    queryFn: ({ signal }) =>
      take(client.GET("/api/v1/models/{name}/compare", { params: { path: { name }, query: { a, b } }, signal })),
  });
}

/** The versions that were trained on a session, or measured by it. */
export function useModelsOfSession(id: string) {
  return useQuery({
    queryKey: modelKeys.ofSession(id),
    queryFn: ({ signal }) => take(client.GET("/api/v1/sessions/{id}/models", { params: { path: { id } }, signal })),
  });
}

export function useBaseModels() {
  return usePages(modelKeys.base, (cursor, signal) =>
    take(client.GET("/api/v1/base-models", { params: { query: { limit: 50, cursor } }, signal })),
  );
}

const aliased = (name: string, alias: string) => ({ params: { path: { name, alias } } });

export const modelCalls = {
  register: (body: NewModelVersion) =>
    take(client.POST("/api/v1/models", { params: { header: tenantHeader() }, body })),
  change: (name: string, version: string, body: ModelVersionPatch) =>
    take(client.PATCH("/api/v1/models/{name}/versions/{version}", { params: { path: { name, version } }, body })),
  point: (name: string, alias: string, version: string) =>
    take(client.PUT("/api/v1/models/{name}/aliases/{alias}", { ...aliased(name, alias), body: { version } })),
  rollBack: (name: string, alias: string) =>
    take(client.POST("/api/v1/models/{name}/aliases/{alias}/rollback", aliased(name, alias))),
  removeAlias: (name: string, alias: string) =>
    take(client.DELETE("/api/v1/models/{name}/aliases/{alias}", aliased(name, alias))),
  keepBase: (body: NewBaseModel) => take(client.PUT("/api/v1/base-models", { body })),
};
