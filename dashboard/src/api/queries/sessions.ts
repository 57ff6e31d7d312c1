import { type InfiniteData, type QueryClient, useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { client, take } from "../client";
import type { Answer, Event, ItemsSession, NewSession, Session, SessionPatch } from "../schema";
import { usePace } from "./pace";
import { tenantHeader } from "./tenancy";

export interface SessionFilter {
  status?: string;
  session_type?: string;
  priority?: string;
  tag?: string;
  parent_id?: string;
  agent_id?: string;
  created_after?: string;
  created_before?: string;
  q?: string;
}

export const PAGE = 100;

export const sessionKeys = {
  all: ["sessions"] as const,
  lists: ["sessions", "list"] as const,
  list: (filter: SessionFilter) => ["sessions", "list", filter] as const,
  stats: ["sessions", "stats"] as const,
  one: (id: string) => ["sessions", "one", id] as const,
  events: (id: string) => ["sessions", "events", id] as const,
  part: (id: string, part: string) => ["sessions", "part", id, part] as const,
};

export function sessionPage(filter: SessionFilter, cursor: string | undefined, limit: number, signal?: AbortSignal) {
  return take(client.GET("/api/v1/sessions", { params: { query: { ...filter, limit, cursor } }, signal }));
}

/** The tenant's sessions, newest first, a page at a time. */
export function useSessions(filter: SessionFilter) {
  const pace = usePace(5000);
  return useInfiniteQuery({
    queryKey: sessionKeys.list(filter),
    queryFn: ({ pageParam, signal }) => sessionPage(filter, pageParam, PAGE, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    // Beyond two pages a reader is deep in the list: rows are renewed one by one as they change, and nothing jumps.
    refetchInterval: (query) => ((query.state.data?.pages.length ?? 0) > 2 ? false : pace),
  });
}

/** The first so many sessions that fit. */
export function useFirstSessions(filter: SessionFilter, limit: number, enabled = true) {
  const pace = usePace(4000);
  return useQuery({
    queryKey: [...sessionKeys.lists, "first", limit, filter],
    queryFn: ({ signal }) => sessionPage(filter, undefined, limit, signal),
    refetchInterval: pace,
    enabled,
  });
}

export function useSessionStats() {
  const pace = usePace(4000);
  return useQuery({
    queryKey: sessionKeys.stats,
    queryFn: ({ signal }) => take(client.GET("/api/v1/sessions/stats", { signal })),
    refetchInterval: pace,
  });
}

export function useSession(id: string) {
  const pace = usePace(1500);
  return useQuery({
    queryKey: sessionKeys.one(id),
    queryFn: ({ signal }) => take(client.GET("/api/v1/sessions/{id}", { params: { path: { id } }, signal })),
    refetchInterval: pace,
  });
}

const EVENTS = 200;

/** A session's log. Each look fetches only what came after the last event that is known, so nothing is read twice. */
export function useSessionEvents(id: string) {
  const pace = usePace(1500);
  const queries = useQueryClient();
  return useQuery({
    queryKey: sessionKeys.events(id),
    queryFn: async ({ signal }) => {
      const key = sessionKeys.events(id);
      let known = queries.getQueryData<Event[]>(key) ?? [];
      for (;;) {
        const after = known.at(-1)?.seq ?? 0;
        const query = { after, limit: EVENTS };
        const page = await take(
          client.GET("/api/v1/sessions/{id}/events", { params: { path: { id }, query }, signal }),
        );
        const { items } = page as { items: Event[] };
        if (items.length > 0) known = [...known, ...items];
        if (items.length < EVENTS) return known;
      }
    },
    refetchInterval: pace,
    staleTime: 0,
    structuralSharing: false,
  });
}

export function useTree(id: string, enabled = true) {
  const pace = usePace(4000);
  return useQuery({
    queryKey: sessionKeys.part(id, "tree"),
    queryFn: ({ signal }) => take(client.GET("/api/v1/sessions/{id}/tree", { params: { path: { id } }, signal })),
    refetchInterval: pace,
    enabled,
  });
}

export function useDiff(id: string) {
  const pace = usePace(6000);
  return useQuery({
    queryKey: sessionKeys.part(id, "diff"),
    queryFn: ({ signal }) => take(client.GET("/api/v1/sessions/{id}/diff", { params: { path: { id } }, signal })),
    refetchInterval: pace,
  });
}

export function useCheckpoints(id: string) {
  const pace = usePace(5000);
  return useQuery({
    queryKey: sessionKeys.part(id, "checkpoints"),
    queryFn: ({ signal }) =>
      take(client.GET("/api/v1/sessions/{id}/checkpoints", { params: { path: { id } }, signal })),
    refetchInterval: pace,
  });
}

export function useArtifacts(id: string) {
  return useQuery({
    queryKey: sessionKeys.part(id, "artifacts"),
    queryFn: ({ signal }) => take(client.GET("/api/v1/sessions/{id}/artifacts", { params: { path: { id } }, signal })),
  });
}

const at = (id: string) => ({ params: { path: { id } } });

export const sessionCalls = {
  create: (body: NewSession) => take(client.POST("/api/v1/sessions", { params: { header: tenantHeader() }, body })),
  start: (id: string) => take(client.POST("/api/v1/sessions/{id}/start", at(id))),
  unqueue: (id: string) => take(client.POST("/api/v1/sessions/{id}/unqueue", at(id))),
  pause: (id: string, reason?: string) =>
    take(client.POST("/api/v1/sessions/{id}/pause", { ...at(id), body: { reason } })),
  resume: (id: string) => take(client.POST("/api/v1/sessions/{id}/resume", at(id))),
  cancel: (id: string, reason?: string) =>
    take(client.POST("/api/v1/sessions/{id}/cancel", { ...at(id), body: { reason } })),
  stop: (id: string, reason?: string) =>
    take(client.POST("/api/v1/sessions/{id}/stop", { ...at(id), body: { reason } })),
  retry: (id: string) => take(client.POST("/api/v1/sessions/{id}/retry", at(id))),
  say: (id: string, text: string) => take(client.POST("/api/v1/sessions/{id}/messages", { ...at(id), body: { text } })),
  answer: (id: string, answer: Answer) =>
    take(client.POST("/api/v1/sessions/{id}/messages", { ...at(id), body: { answer } })),
  checkpoint: (id: string, note?: string) =>
    take(client.POST("/api/v1/sessions/{id}/checkpoints", { ...at(id), body: { note } })),
  restore: (id: string, sequence: number) =>
    take(client.POST("/api/v1/sessions/{id}/checkpoints/{sequence}/restore", { params: { path: { id, sequence } } })),
  fork: (id: string, checkpoint?: number) =>
    take(
      client.POST("/api/v1/sessions/{id}/fork", {
        params: { path: { id }, header: tenantHeader() },
        body: { checkpoint },
      }),
    ),
  change: (id: string, body: SessionPatch) => take(client.PATCH("/api/v1/sessions/{id}", { ...at(id), body })),
  remove: (id: string) => take(client.DELETE("/api/v1/sessions/{id}", at(id))),
};

type Pages = InfiniteData<ItemsSession> | ItemsSession;

/** Puts a newer row into whatever lists hold it. */
export function putSession(queries: QueryClient, session: Session) {
  const renew = (page: ItemsSession): ItemsSession => {
    const held = page.items.some((one) => one.id === session.id && one.version <= session.version);
    return held ? { ...page, items: page.items.map((one) => (one.id === session.id ? session : one)) } : page;
  };
  queries.setQueryData<Session>(sessionKeys.one(session.id), (old) =>
    old && old.version > session.version ? old : session,
  );
  queries.setQueriesData<Pages>({ queryKey: sessionKeys.lists }, (old) => {
    if (!old) return old;
    return "pages" in old ? { ...old, pages: old.pages.map(renew) } : renew(old);
  });
}
