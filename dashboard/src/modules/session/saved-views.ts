"use client";

import { useCallback, useSyncExternalStore } from "react";

export interface SavedView {
  readonly name: string;
  /** The query of the address: `status=failed&tag=nightly`. */
  readonly search: string;
}

export const BUILT_IN_VIEWS: readonly SavedView[] = [
  { name: "All", search: "" },
  { name: "Active", search: "status=queued,running,degraded,paused" },
  { name: "Paused", search: "status=paused" },
  { name: "Failed", search: "status=failed,timeout,orphaned" },
  { name: "Done", search: "status=completed,partially_completed" },
];

const STORAGE_KEY = "views.sessions";
const listeners = new Set<() => void>();
let known: { text: string | null; views: readonly SavedView[] } = { text: null, views: [] };

function isView(value: unknown): value is SavedView {
  const view = value as Partial<SavedView> | null;
  return typeof view?.name === "string" && typeof view.search === "string";
}

/** Parses stored views. Values that are not views are ignored. */
export function parseViews(text: string | null): SavedView[] {
  try {
    const value: unknown = JSON.parse(text ?? "[]");
    return Array.isArray(value) ? value.filter(isView) : [];
  } catch {
    return [];
  }
}

function read(): readonly SavedView[] {
  let text: string | null = null;
  try {
    text = localStorage.getItem(STORAGE_KEY);
  } catch {
    return known.views;
  }
  if (text !== known.text) known = { text, views: parseViews(text) };
  return known.views;
}

function write(views: readonly SavedView[]) {
  try {
    localStorage.setItem(STORAGE_KEY, JSON.stringify(views));
  } catch {
    known = { text: null, views };
  }
  for (const listener of listeners) listener();
}

const NONE: readonly SavedView[] = [];

/** Named filters that are stored in this browser. */
export function useSavedViews() {
  const views = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    read,
    () => NONE,
  );
  const save = useCallback((view: SavedView) => write([...read().filter((one) => one.name !== view.name), view]), []);
  const forget = useCallback((name: string) => write(read().filter((one) => one.name !== name)), []);
  return { views, save, forget };
}
