"use client";

import type { InfiniteData, UseInfiniteQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import type { ListPage } from "@/api/queries/pages";
import { Button } from "./button";
import { Failure, Loading } from "./states";

interface ListedProps<Item> {
  query: UseInfiniteQueryResult<InfiniteData<ListPage<Item>>>;
  /** What is shown when there is nothing. */
  empty: ReactNode;
  more?: string;
  children(items: Item[]): ReactNode;
}

/** A list that is read a page at a time, while it is read, when it cannot be, and when there is nothing. */
export function Listed<Item>({ query, empty, more = "Older ones", children }: ListedProps<Item>) {
  if (query.isPending) return <Loading />;
  const items = query.data?.pages.flatMap((page) => page.items);
  if (!items) return <Failure error={query.error} retry={() => void query.refetch()} />;
  if (items.length === 0) return empty;
  return (
    <>
      {children(items)}
      {query.hasNextPage && (
        <div className="flex justify-center p-3">
          <Button busy={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
            {more}
          </Button>
        </div>
      )}
    </>
  );
}
