"use client";

import { Tabs as Primitive } from "radix-ui";
import type { ReactNode } from "react";

export interface TabItem {
  id: string;
  title: string;
  count?: number;
  content: ReactNode;
}

/** Tabs. Only the content of the selected tab is mounted. */
export function TabbedPanels({
  tabs,
  value,
  onChange,
  label,
}: {
  tabs: TabItem[];
  value: string;
  onChange(id: string): void;
  label: string;
}) {
  return (
    <Primitive.Root value={value} onValueChange={onChange}>
      <Primitive.List aria-label={label} className="flex gap-1 overflow-x-auto border-b border-line px-2">
        {tabs.map((tab) => (
          <Primitive.Trigger
            key={tab.id}
            value={tab.id}
            className="-mb-px flex items-center gap-1.5 border-b-2 border-transparent px-2.5 py-2 text-[0.8125rem] whitespace-nowrap text-muted hover:text-text data-[state=active]:border-accent data-[state=active]:font-medium data-[state=active]:text-text"
          >
            {tab.title}
            {tab.count !== undefined && tab.count > 0 && (
              <span className="figure rounded bg-raised px-1 text-2xs text-muted">{tab.count}</span>
            )}
          </Primitive.Trigger>
        ))}
      </Primitive.List>
      {tabs.map((tab) => (
        <Primitive.Content key={tab.id} value={tab.id} className="outline-none">
          {tab.content}
        </Primitive.Content>
      ))}
    </Primitive.Root>
  );
}
