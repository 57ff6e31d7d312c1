import type { ListPage } from "@/api/list-page";

/** What a view needs to know about data that is being read. A result of `useQuery` is one. */
export interface LoadState<Data> {
  readonly data: Data | undefined;
  readonly isPending: boolean;
  readonly error: unknown;
  refetch(): unknown;
}

/** A list that is read as a whole. */
export type ListState<Item> = LoadState<{ readonly items: readonly Item[] }>;

/** The same for a list that is read one page at a time. A result of `useInfiniteQuery` is one. */
export interface PagedState<Item> extends LoadState<{ readonly pages: readonly ListPage<Item>[] }> {
  readonly hasNextPage: boolean;
  readonly isFetchingNextPage: boolean;
  fetchNextPage(): unknown;
}

/** All items that are loaded so far. */
export function loadedItems<Item>(state: PagedState<Item>): Item[] {
  return state.data?.pages.flatMap((page) => page.items) ?? [];
}
