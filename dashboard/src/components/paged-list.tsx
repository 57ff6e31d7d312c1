"use client";

import type { ReactNode } from "react";
import { ActionButton } from "./action-button";
import { loadedItems, type PagedState } from "./load-state";
import { LoadedContent } from "./loaded-content";

interface PagedListProps<Item> {
  state: PagedState<Item>;
  /** Shown when the list has no items. */
  empty: ReactNode;
  /** The label of the button that loads the next page. */
  more?: string;
  children(items: Item[]): ReactNode;
}

/** A list that is read one page at a time, with a button for the next page. */
export function PagedList<Item>({ state, empty, more = "Load older", children }: PagedListProps<Item>) {
  return (
    <LoadedContent state={state}>
      {() => {
        const items = loadedItems(state);
        if (items.length === 0) return empty;
        return (
          <>
            {children(items)}
            {state.hasNextPage && (
              <div className="flex justify-center p-3">
                <ActionButton busy={state.isFetchingNextPage} onClick={() => void state.fetchNextPage()}>
                  {more}
                </ActionButton>
              </div>
            )}
          </>
        );
      }}
    </LoadedContent>
  );
}
