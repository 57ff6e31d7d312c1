import { type QueryKey, useInfiniteQuery } from "@tanstack/react-query";

export interface ListPage<Item> {
  items: Item[];
  next_cursor?: string | null;
}

/** A list that is read a page at a time. Beyond two pages a reader is deep in it, and nothing is to jump. */
export function usePages<Item>(
  queryKey: QueryKey,
  ask: (cursor: string | undefined, signal: AbortSignal) => Promise<ListPage<Item>>,
  pace: number | false = false,
) {
  return useInfiniteQuery({
    queryKey,
    queryFn: ({ pageParam, signal }) => ask(pageParam, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    refetchInterval: (query) => ((query.state.data?.pages.length ?? 0) > 2 ? false : pace),
  });
}
