"use client";

import { useEffect } from "react";

type Shortcuts = Readonly<Record<string, () => void>>;

/** Whether the focused element uses key presses itself: a text field or a menu. */
function isTyping(target: EventTarget | null): boolean {
  const element = target instanceof HTMLElement ? target : null;
  return Boolean(element?.closest("input, textarea, select, [contenteditable], [role='menu'], [role='listbox']"));
}

const PAIR_TIMEOUT = 1200;

/** All registered shortcuts. They are searched together, so that `g x` takes precedence over the `x` of a list. */
const registeredShortcuts = new Set<Shortcuts>();
let previousKey = "";
let previousPressAt = 0;

function findShortcut(keys: string): (() => void) | undefined {
  return [...registeredShortcuts].map((one) => one[keys]).find(Boolean);
}

function handleKeyDown(event: KeyboardEvent) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || isTyping(event.target)) return;
  if (document.querySelector("[role='dialog'], [role='alertdialog']")) return;
  const pair = Date.now() - previousPressAt < PAIR_TIMEOUT ? findShortcut(`${previousKey} ${event.key}`) : undefined;
  const act = pair ?? findShortcut(event.key);
  previousKey = act ? "" : event.key;
  previousPressAt = Date.now();
  if (!act) return;
  event.preventDefault();
  act();
}

/** Registers keys and key pairs (`g s`) that work anywhere on the page. */
export function useShortcuts(shortcuts: Shortcuts) {
  useEffect(() => {
    if (registeredShortcuts.size === 0) addEventListener("keydown", handleKeyDown);
    registeredShortcuts.add(shortcuts);
    return () => {
      registeredShortcuts.delete(shortcuts);
      if (registeredShortcuts.size === 0) removeEventListener("keydown", handleKeyDown);
    };
  }, [shortcuts]);
}
