"use client";

import { useEffect } from "react";

type Shortcuts = Readonly<Record<string, () => void>>;

/** Whether a key press is meant for what has the focus: text that is typed, or a dialog's own keys. */
function isTyping(target: EventTarget | null): boolean {
  const element = target instanceof HTMLElement ? target : null;
  return Boolean(element?.closest("input, textarea, select, [contenteditable], [role='menu'], [role='listbox']"));
}

const TOGETHER = 1200;

/** All that listen now. They are asked together: `g x` is never the `x` of a list. */
const all = new Set<Shortcuts>();
let before = "";
let at = 0;

function find(keys: string): (() => void) | undefined {
  return [...all].map((one) => one[keys]).find(Boolean);
}

function press(event: KeyboardEvent) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || isTyping(event.target)) return;
  if (document.querySelector("[role='dialog'], [role='alertdialog']")) return;
  const pair = Date.now() - at < TOGETHER ? find(`${before} ${event.key}`) : undefined;
  const act = pair ?? find(event.key);
  before = act ? "" : event.key;
  at = Date.now();
  if (!act) return;
  event.preventDefault();
  act();
}

/** Keys and pairs of keys (`g s`) that do something anywhere on the page. */
export function useShortcuts(shortcuts: Shortcuts) {
  useEffect(() => {
    if (all.size === 0) addEventListener("keydown", press);
    all.add(shortcuts);
    return () => {
      all.delete(shortcuts);
      if (all.size === 0) removeEventListener("keydown", press);
    };
  }, [shortcuts]);
}
