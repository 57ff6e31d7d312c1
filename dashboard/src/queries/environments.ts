import { useQuery } from "@tanstack/react-query";
import { client, unwrap } from "@/api/client";
import type { EnvironmentPatch, NewEnvironment, SecretInput } from "@/api/fleet-types";
import { usePagedQuery } from "./paged-query";

export const environmentKeys = {
  all: ["environments"] as const,
  list: ["environments", "list"] as const,
  one: (id: string) => ["environments", "one", id] as const,
  versions: (id: string) => ["environments", "versions", id] as const,
};

export const secretKeys = {
  all: ["secrets"] as const,
};

/** A tenant has at most 200 environments, so one page holds all of them. */
export function useEnvironments() {
  return useQuery({
    queryKey: environmentKeys.list,
    queryFn: ({ signal }) => unwrap(client.GET("/api/v1/environments", { params: { query: { limit: 200 } }, signal })),
  });
}

export function useEnvironment(id: string) {
  return useQuery({
    queryKey: environmentKeys.one(id),
    queryFn: ({ signal }) => unwrap(client.GET("/api/v1/environments/{id}", { params: { path: { id } }, signal })),
  });
}

/** The versions of an environment, newest first. */
export function useEnvironmentVersions(id: string) {
  return usePagedQuery(environmentKeys.versions(id), (cursor, signal) =>
    unwrap(
      client.GET("/api/v1/environments/{id}/versions", {
        params: { path: { id }, query: { cursor, limit: 50 } },
        signal,
      }),
    ),
  );
}

/** The secrets that the caller may see, without their values. A tenant has at most 200. */
export function useSecrets(enabled = true) {
  return useQuery({
    queryKey: secretKeys.all,
    queryFn: ({ signal }) => unwrap(client.GET("/api/v1/secrets", { params: { query: { limit: 200 } }, signal })),
    enabled,
  });
}

/** The version that a change was based on, for the header `If-Match`. */
function ifMatch(version: number) {
  return { "If-Match": `"${version}"` };
}

const secretAt = (scope: string, name: string) => ({ params: { path: { scope, name } } });

export const environmentCalls = {
  create: (body: NewEnvironment) => unwrap(client.POST("/api/v1/environments", { body })),
  change: (id: string, version: number, body: EnvironmentPatch) =>
    unwrap(
      client.PATCH("/api/v1/environments/{id}", {
        params: { path: { id }, header: ifMatch(version) },
        body,
      }),
    ),
  /** Makes an environment the tenant's default, or removes the mark. This does not create a version. */
  setDefault: (id: string, is_default: boolean) =>
    unwrap(client.PATCH("/api/v1/environments/{id}", { params: { path: { id } }, body: { is_default } })),
  remove: (id: string) => unwrap(client.DELETE("/api/v1/environments/{id}", { params: { path: { id } } })),
};

export const secretCalls = {
  /** Creates or replaces a secret. `scope` is `tenant`, `user` or the id of an environment. */
  put: (scope: string, name: string, body: SecretInput) =>
    unwrap(client.PUT("/api/v1/secrets/{scope}/{name}", { ...secretAt(scope, name), body })),
  remove: (scope: string, name: string) =>
    unwrap(client.DELETE("/api/v1/secrets/{scope}/{name}", secretAt(scope, name))),
};
