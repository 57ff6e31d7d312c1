"use client";

import { Moon, Sun } from "lucide-react";
import { useSyncExternalStore } from "react";
import { IconButton } from "@/components/button";

const listeners = new Set<() => void>();

export function toggleTheme() {
  const { dataset } = document.documentElement;
  dataset.theme = dataset.theme === "dark" ? "light" : "dark";
  try {
    localStorage.setItem("theme", dataset.theme);
  } catch {
    // A browser that stores nothing forgets the choice, and nothing else.
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

export function ThemeToggle() {
  const dark = useTheme() === "dark";
  return (
    <IconButton label={dark ? "Light theme" : "Dark theme"} onClick={toggleTheme}>
      {dark ? <Sun aria-hidden className="size-4" /> : <Moon aria-hidden className="size-4" />}
    </IconButton>
  );
}
