"use client";

import { Dialog } from "@/components/dialog";
import { PAGES } from "./pages";

const ANYWHERE: [string, string][] = [
  ["/", "Search sessions"],
  ["n", "New session"],
  ["r", "Read everything again"],
  ["t", "Switch between dark and light"],
  ["?", "This help"],
];

const LISTS: [string, string][] = [
  ["j  k", "Next, previous row"],
  ["Enter", "Open the row"],
  ["x", "Select the row"],
  ["Esc", "Let the selection go"],
];

function Keys({ keys }: { keys: string }) {
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

function List({ title, items }: { title: string; items: [string, string][] }) {
  return (
    <section>
      <h3 className="label mb-1.5">{title}</h3>
      <dl className="flex flex-col gap-1.5 text-[0.8125rem]">
        {items.map(([keys, what]) => (
          <div key={what} className="flex items-center justify-between gap-4">
            <dt className="order-2">
              <Keys keys={keys} />
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

export function Help({ open, onOpenChange }: { open: boolean; onOpenChange(open: boolean): void }) {
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title="Keyboard"
      description="They work wherever nothing is being typed."
      wide
    >
      <div className="grid gap-6 sm:grid-cols-2">
        <List title="Go to" items={PAGES.map((page) => [page.keys, page.title])} />
        <div className="flex flex-col gap-6">
          <List title="Anywhere" items={ANYWHERE} />
          <List title="In lists" items={LISTS} />
        </div>
      </div>
    </Dialog>
  );
}
