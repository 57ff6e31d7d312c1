"use client";

import { Moon, Sun } from "lucide-react";
import { IconButton } from "@/components/action-button";
import { toggleTheme, useTheme } from "@/hooks/use-theme";

export function ThemeToggle() {
  const dark = useTheme() === "dark";
  return (
    <IconButton label={dark ? "Light theme" : "Dark theme"} onClick={toggleTheme}>
      {dark ? <Sun aria-hidden className="size-4" /> : <Moon aria-hidden className="size-4" />}
    </IconButton>
  );
}
