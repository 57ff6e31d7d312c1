"use client";

import { useSyncExternalStore } from "react";

const listeners = new Set<() => void>();

export function toggleTheme() {
  const { dataset } = document.documentElement;
  dataset.theme = dataset.theme === "dark" ? "light" : "dark";
  try {
    localStorage.setItem("theme", dataset.theme);
  } catch {
    // Without storage, only the choice is not remembered.
  }
  for (const listener of listeners) listener();
}

export function useTheme(): "dark" | "light" {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => (document.documentElement.dataset.theme === "light" ? "light" : "dark"),
    () => "dark",
  );
}
