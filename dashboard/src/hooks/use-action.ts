"use client";

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { ApiError } from "@/api/problem";
import { showToast } from "@/components/toast";

interface ActionOptions<Result> {
  /** The queries that are read again afterwards. */
  invalidates: readonly (readonly unknown[])[];
  successMessage?: string | ((result: Result) => string | undefined);
  onSuccess?(result: Result): void;
  /** Set where the caller shows the error itself, so that no message appears. */
  showsErrorItself?: boolean;
}

/** Runs a command, shows its result as a message, and invalidates the queries that it changes. */
export function useAction<Input, Result>(run: (input: Input) => Promise<Result>, options: ActionOptions<Result>) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: run,
    onSuccess: (result) => {
      const text =
        typeof options.successMessage === "function" ? options.successMessage(result) : options.successMessage;
      if (text) showToast(text);
      options.onSuccess?.(result);
    },
    onError: (error) => {
      if (options.showsErrorItself) return;
      const remedy = error instanceof ApiError && error.remedy ? ` ${error.remedy}` : "";
      showToast(`${error.message}${remedy}`, true);
    },
    onSettled: () => {
      for (const queryKey of options.invalidates) void queries.invalidateQueries({ queryKey });
    },
  });
}
