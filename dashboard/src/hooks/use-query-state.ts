"use client";

import { usePathname, useRouter, useSearchParams } from "next/navigation";
import { useCallback } from "react";

/** The part of a page's state that is in its address, so that a link reproduces it. */
export function useQueryState() {
  const search = useSearchParams();
  const path = usePathname();
  const router = useRouter();
  const set = useCallback(
    (changes: Readonly<Record<string, string | undefined>>) => {
      const next = new URLSearchParams(search);
      for (const [name, value] of Object.entries(changes)) {
        if (value) next.set(name, value);
        else next.delete(name);
      }
      const text = next.toString();
      router.replace(text ? `${path}?${text}` : path, { scroll: false });
    },
    [search, path, router],
  );
  return [search, set] as const;
}
