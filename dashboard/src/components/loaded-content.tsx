"use client";

import type { ReactNode } from "react";
import { ErrorAlert, LoadingState } from "./content-states";
import type { LoadState } from "./load-state";

interface LoadedContentProps<Data> {
  state: LoadState<Data>;
  /** How many placeholder lines stand in while the data is read. */
  rows?: number;
  children(data: Data): ReactNode;
}

/** Shows data once it is read: placeholder lines before that, and the error with a retry when it cannot be read. */
export function LoadedContent<Data>({ state, rows, children }: LoadedContentProps<Data>) {
  if (state.data !== undefined) return children(state.data);
  if (state.isPending) return <LoadingState rows={rows} />;
  return <ErrorAlert error={state.error} retry={() => void state.refetch()} />;
}
