import { type QueryKey, useInfiniteQuery } from "@tanstack/react-query";
import type { ListPage } from "@/api/list-page";

/**
 * A list that is read one page at a time. It stops polling once more than two pages are loaded, so that rows do not move
 * under a reader who has scrolled far down.
 */
export function usePagedQuery<Item>(
  queryKey: QueryKey,
  ask: (cursor: string | undefined, signal: AbortSignal) => Promise<ListPage<Item>>,
  pollInterval: number | false = false,
) {
  return useInfiniteQuery({
    queryKey,
    queryFn: ({ pageParam, signal }) => ask(pageParam, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    refetchInterval: (query) => ((query.state.data?.pages.length ?? 0) > 2 ? false : pollInterval),
  });
}
