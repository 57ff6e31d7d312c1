"use client";

import { useCallback, useSyncExternalStore } from "react";

export interface View {
  readonly name: string;
  /** The part of the address that makes it: `status=failed&tag=nightly`. */
  readonly search: string;
}

export const BUILT_IN: readonly View[] = [
  { name: "All", search: "" },
  { name: "Active", search: "status=queued,running,degraded,paused" },
  { name: "Held", search: "status=paused" },
  { name: "Failed", search: "status=failed,timeout,orphaned" },
  { name: "Done", search: "status=completed,partially_completed" },
];

const PLACE = "views.sessions";
const listeners = new Set<() => void>();
let known: { text: string | null; views: readonly View[] } = { text: null, views: [] };

function isView(value: unknown): value is View {
  const view = value as Partial<View> | null;
  return typeof view?.name === "string" && typeof view.search === "string";
}

/** What the browser keeps, or nothing where it keeps none or keeps something else. */
export function parseViews(text: string | null): View[] {
  try {
    const value: unknown = JSON.parse(text ?? "[]");
    return Array.isArray(value) ? value.filter(isView) : [];
  } catch {
    return [];
  }
}

function read(): readonly View[] {
  let text: string | null = null;
  try {
    text = localStorage.getItem(PLACE);
  } catch {
    return known.views;
  }
  if (text !== known.text) known = { text, views: parseViews(text) };
  return known.views;
}

function write(views: readonly View[]) {
  try {
    localStorage.setItem(PLACE, JSON.stringify(views));
  } catch {
    known = { text: null, views };
  }
  for (const listener of listeners) listener();
}

const NONE: readonly View[] = [];

/** Filters under a name, kept in this browser. */
export function useSavedViews() {
  const views = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    read,
    () => NONE,
  );
  const save = useCallback((view: View) => write([...read().filter((one) => one.name !== view.name), view]), []);
  const forget = useCallback((name: string) => write(read().filter((one) => one.name !== name)), []);
  return { views, save, forget };
}
