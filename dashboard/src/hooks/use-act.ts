"use client";

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Refused } from "@/api/problem";
import { toast } from "@/components/toast";

interface Options<Result> {
  /** What is read again afterwards. */
  renews: readonly (readonly unknown[])[];
  done?: string | ((result: Result) => string | undefined);
  after?(result: Result): void;
  /** Where the form shows what went wrong itself. */
  quiet?: boolean;
}

/** Does something, says how it went, and renews what it changed. */
export function useAct<Input, Result>(run: (input: Input) => Promise<Result>, options: Options<Result>) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: run,
    onSuccess: (result) => {
      const text = typeof options.done === "function" ? options.done(result) : options.done;
      if (text) toast(text);
      options.after?.(result);
    },
    onError: (error) => {
      if (options.quiet) return;
      const remedy = error instanceof Refused && error.remedy ? ` ${error.remedy}` : "";
      toast(`${error.message}${remedy}`, true);
    },
    onSettled: () => {
      for (const queryKey of options.renews) void queries.invalidateQueries({ queryKey });
    },
  });
}
