"use client";

import { useEffect } from "react";

/** Whether a key press is meant for what has the focus: text that is typed, or a dialog's own keys. */
function isTyping(target: EventTarget | null): boolean {
  const element = target instanceof HTMLElement ? target : null;
  return Boolean(element?.closest("input, textarea, select, [contenteditable], [role='menu'], [role='listbox']"));
}

const TOGETHER = 1200;

/** Keys and pairs of keys (`g s`) that do something anywhere on the page. */
export function useShortcuts(shortcuts: Readonly<Record<string, () => void>>) {
  useEffect(() => {
    let before = "";
    let at = 0;
    const press = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || isTyping(event.target)) return;
      if (document.querySelector("[role='dialog'], [role='alertdialog']")) return;
      const pair = Date.now() - at < TOGETHER ? `${before} ${event.key}` : "";
      const act = shortcuts[pair] ?? shortcuts[event.key];
      before = event.key;
      at = Date.now();
      if (!act) return;
      event.preventDefault();
      before = "";
      act();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, [shortcuts]);
}
