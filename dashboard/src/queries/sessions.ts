import { useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { client, unwrap } from "@/api/client";
import type { Answer, Event, FileChange, NewSession, SessionPatch } from "@/api/schema";
import { usePollInterval } from "@/hooks/use-poll-interval";

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

export const SESSION_PAGE_SIZE = 100;

export const sessionKeys = {
  all: ["sessions"] as const,
  lists: ["sessions", "list"] as const,
  list: (filter: SessionFilter) => ["sessions", "list", filter] as const,
  stats: ["sessions", "stats"] as const,
  one: (id: string) => ["sessions", "one", id] as const,
  events: (id: string) => ["sessions", "events", id] as const,
  part: (id: string, part: string) => ["sessions", "part", id, part] as const,
};

export function fetchSessionPage(
  filter: SessionFilter,
  cursor: string | undefined,
  limit: number,
  signal?: AbortSignal,
) {
  return unwrap(client.GET("/api/v1/sessions", { params: { query: { ...filter, limit, cursor } }, signal }));
}

/** The tenant's sessions, newest first, one page at a time. */
export function useSessions(filter: SessionFilter) {
  const pollInterval = usePollInterval(5000);
  return useInfiniteQuery({
    queryKey: sessionKeys.list(filter),
    queryFn: ({ pageParam, signal }) => fetchSessionPage(filter, pageParam, SESSION_PAGE_SIZE, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    // Beyond two pages, polling stops, so that rows do not move under a reader who has scrolled far down.
    refetchInterval: (query) => ((query.state.data?.pages.length ?? 0) > 2 ? false : pollInterval),
  });
}

/** The first sessions that match a filter. */
export function useFirstSessions(filter: SessionFilter, limit: number, enabled = true) {
  const pollInterval = usePollInterval(4000);
  return useQuery({
    queryKey: [...sessionKeys.lists, "first", limit, filter],
    queryFn: ({ signal }) => fetchSessionPage(filter, undefined, limit, signal),
    refetchInterval: pollInterval,
    enabled,
  });
}

export function useSessionStats() {
  const pollInterval = usePollInterval(4000);
  return useQuery({
    queryKey: sessionKeys.stats,
    queryFn: ({ signal }) => unwrap(client.GET("/api/v1/sessions/stats", { signal })),
    refetchInterval: pollInterval,
  });
}

export function useSession(id: string) {
  const pollInterval = usePollInterval(1500);
  return useQuery({
    queryKey: sessionKeys.one(id),
    queryFn: ({ signal }) => unwrap(client.GET("/api/v1/sessions/{id}", { params: { path: { id } }, signal })),
    refetchInterval: pollInterval,
  });
}

const EVENT_PAGE_SIZE = 200;

/** A session's log. Each read fetches only the events after the last known one. */
export function useSessionEvents(id: string) {
  const pollInterval = usePollInterval(1500);
  const queries = useQueryClient();
  return useQuery({
    queryKey: sessionKeys.events(id),
    queryFn: async ({ signal }) => {
      const key = sessionKeys.events(id);
      let known = queries.getQueryData<Event[]>(key) ?? [];
      for (;;) {
        const after = known.at(-1)?.seq ?? 0;
        const query = { after, limit: EVENT_PAGE_SIZE };
        const page = await unwrap(
          client.GET("/api/v1/sessions/{id}/events", { params: { path: { id }, query }, signal }),
        );
        const { items, next_cursor } = page as { items: Event[]; next_cursor: string | null };
        if (items.length > 0) known = [...known, ...items];
        if (next_cursor === null) return known;
      }
    },
    refetchInterval: pollInterval,
    staleTime: 0,
    structuralSharing: false,
  });
}

export function useSessionTree(id: string, enabled = true) {
  const pollInterval = usePollInterval(4000);
  return useQuery({
    queryKey: sessionKeys.part(id, "tree"),
    queryFn: ({ signal }) => unwrap(client.GET("/api/v1/sessions/{id}/tree", { params: { path: { id } }, signal })),
    refetchInterval: pollInterval,
    enabled,
  });
}

export function useSessionDiff(id: string) {
  const pollInterval = usePollInterval(6000);
  return useQuery({
    queryKey: sessionKeys.part(id, "diff"),
    // A page holds as many files as fit into a response.
    queryFn: async ({ signal }) => {
      const items: FileChange[] = [];
      for (let cursor: string | null = null; ; ) {
        const query: { cursor?: string } = cursor === null ? {} : { cursor };
        const page: { items: FileChange[]; next_cursor: string | null } = await unwrap(
          client.GET("/api/v1/sessions/{id}/diff", { params: { path: { id }, query }, signal }),
        );
        items.push(...page.items);
        cursor = page.next_cursor;
        if (cursor === null) return { items };
      }
    },
    refetchInterval: pollInterval,
  });
}

export function useCheckpoints(id: string) {
  const pollInterval = usePollInterval(5000);
  return useQuery({
    queryKey: sessionKeys.part(id, "checkpoints"),
    queryFn: ({ signal }) =>
      unwrap(client.GET("/api/v1/sessions/{id}/checkpoints", { params: { path: { id } }, signal })),
    refetchInterval: pollInterval,
  });
}

export function useArtifacts(id: string) {
  return useQuery({
    queryKey: sessionKeys.part(id, "artifacts"),
    queryFn: ({ signal }) =>
      unwrap(client.GET("/api/v1/sessions/{id}/artifacts", { params: { path: { id } }, signal })),
  });
}

const at = (id: string) => ({ params: { path: { id } } });

export const sessionCalls = {
  create: (body: NewSession) => unwrap(client.POST("/api/v1/sessions", { body })),
  start: (id: string) => unwrap(client.POST("/api/v1/sessions/{id}/start", at(id))),
  unqueue: (id: string) => unwrap(client.POST("/api/v1/sessions/{id}/unqueue", at(id))),
  pause: (id: string, reason?: string) =>
    unwrap(client.POST("/api/v1/sessions/{id}/pause", { ...at(id), body: { reason } })),
  resume: (id: string) => unwrap(client.POST("/api/v1/sessions/{id}/resume", at(id))),
  cancel: (id: string, reason?: string) =>
    unwrap(client.POST("/api/v1/sessions/{id}/cancel", { ...at(id), body: { reason } })),
  stop: (id: string, reason?: string) =>
    unwrap(client.POST("/api/v1/sessions/{id}/stop", { ...at(id), body: { reason } })),
  retry: (id: string) => unwrap(client.POST("/api/v1/sessions/{id}/retry", at(id))),
  sendMessage: (id: string, text: string) =>
    unwrap(client.POST("/api/v1/sessions/{id}/messages", { ...at(id), body: { text } })),
  answer: (id: string, answer: Answer) =>
    unwrap(client.POST("/api/v1/sessions/{id}/messages", { ...at(id), body: { answer } })),
  checkpoint: (id: string, note?: string) =>
    unwrap(client.POST("/api/v1/sessions/{id}/checkpoints", { ...at(id), body: { note } })),
  restore: (id: string, sequence: number) =>
    unwrap(client.POST("/api/v1/sessions/{id}/checkpoints/{sequence}/restore", { params: { path: { id, sequence } } })),
  fork: (id: string, checkpoint?: number) =>
    unwrap(
      client.POST("/api/v1/sessions/{id}/fork", {
        params: { path: { id } },
        body: { checkpoint },
      }),
    ),
  change: (id: string, body: SessionPatch) => unwrap(client.PATCH("/api/v1/sessions/{id}", { ...at(id), body })),
  remove: (id: string) => unwrap(client.DELETE("/api/v1/sessions/{id}", at(id))),
};
