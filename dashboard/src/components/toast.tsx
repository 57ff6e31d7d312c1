"use client";

import { CircleAlert, CircleCheck, X } from "lucide-react";
import { useSyncExternalStore } from "react";

interface Toast {
  id: number;
  text: string;
  bad: boolean;
}

let toasts: Toast[] = [];
let next = 1;
const listeners = new Set<() => void>();

function setToasts(all: Toast[]) {
  toasts = all;
  for (const listener of listeners) listener();
}

/** Shows a message that disappears by itself. An error stays until it is dismissed. */
export function showToast(text: string, bad = false) {
  const id = next++;
  setToasts([...toasts.slice(-3), { id, text, bad }]);
  if (!bad) setTimeout(() => dismissToast(id), 4000);
}

function dismissToast(id: number) {
  setToasts(toasts.filter((one) => one.id !== id));
}

export function ToastRegion() {
  const all = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => toasts,
    () => toasts,
  );
  return (
    <div
      role="status"
      aria-live="polite"
      className="fixed right-4 bottom-4 z-60 flex max-w-[calc(100vw-2rem)] flex-col gap-2"
    >
      {all.map((one) => (
        <div key={one.id} className="panel flex max-w-sm items-start gap-2 p-3 text-[0.8125rem] shadow-(--shadow)">
          {one.bad ? (
            <CircleAlert aria-hidden className="mt-0.5 size-4 shrink-0 text-danger" />
          ) : (
            <CircleCheck aria-hidden className="mt-0.5 size-4 shrink-0 text-good" />
          )}
          <span className="min-w-0 flex-1 break-words">{one.text}</span>
          <button
            type="button"
            aria-label="Dismiss"
            onClick={() => dismissToast(one.id)}
            className="text-muted hover:text-text"
          >
            <X aria-hidden className="size-3.5" />
          </button>
        </div>
      ))}
    </div>
  );
}
