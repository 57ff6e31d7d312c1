import { useIsFetching, useQueryClient } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import { UnreachableError } from "@/api/problem";

/** Whether any visible query got no response. */
export function useIsUnreachable(): boolean {
  const cache = useQueryClient().getQueryCache();
  useIsFetching();
  return useSyncExternalStore(
    (listener) => cache.subscribe(listener),
    () => cache.getAll().some((query) => query.isActive() && query.state.error instanceof UnreachableError),
    () => false,
  );
}
