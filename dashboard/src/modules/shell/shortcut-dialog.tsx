"use client";

import { ModalDialog } from "@/components/modal-dialog";
import { NAVIGATION_PAGES } from "./pages";

const ANYWHERE: [string, string][] = [
  ["/", "Search sessions"],
  ["n", "New session"],
  ["r", "Reload all data"],
  ["t", "Switch between the dark and the light theme"],
  ["?", "Show this help"],
];

const LISTS: [string, string][] = [
  ["j  k", "Next, previous row"],
  ["Enter", "Open the row"],
  ["x", "Select the row"],
  ["Esc", "Clear the selection"],
];

function KeyCombination({ keys }: { keys: string }) {
  return (
    <span className="flex gap-1">
      {keys.split(/\s+/).map((key) => (
        <kbd key={key} className="figure rounded border border-line-strong bg-raised px-1.5 text-xs">
          {key}
        </kbd>
      ))}
    </span>
  );
}

function ShortcutList({ title, items }: { title: string; items: [string, string][] }) {
  return (
    <section>
      <h3 className="label mb-1.5">{title}</h3>
      <dl className="flex flex-col gap-1.5 text-[0.8125rem]">
        {items.map(([keys, what]) => (
          <div key={what} className="flex items-center justify-between gap-4">
            <dt className="order-2">
              <KeyCombination keys={keys} />
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

export function ShortcutDialog({ open, onOpenChange }: { open: boolean; onOpenChange(open: boolean): void }) {
  return (
    <ModalDialog
      open={open}
      onOpenChange={onOpenChange}
      title="Keyboard"
      description="Shortcuts work while no text field has the focus."
      wide
    >
      <div className="grid gap-6 sm:grid-cols-2">
        <ShortcutList title="Go to" items={NAVIGATION_PAGES.map((page) => [page.keys, page.title])} />
        <div className="flex flex-col gap-6">
          <ShortcutList title="Anywhere" items={ANYWHERE} />
          <ShortcutList title="In lists" items={LISTS} />
        </div>
      </div>
    </ModalDialog>
  );
}
