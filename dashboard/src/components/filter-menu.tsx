"use client";

import { Check, ChevronDown } from "lucide-react";
import { DropdownMenu } from "radix-ui";
import type { ReactNode } from "react";
import { cx } from "./class-names";

interface FilterMenuProps<Value extends string> {
  label: string;
  values: readonly Value[];
  chosen: readonly string[];
  onChange(chosen: string[]): void;
  show?(value: Value): ReactNode;
}

/** A filter menu from which any number of values can be chosen. */
export function FilterMenu<Value extends string>({ label, values, chosen, onChange, show }: FilterMenuProps<Value>) {
  const toggle = (value: string) =>
    onChange(chosen.includes(value) ? chosen.filter((one) => one !== value) : [...chosen, value]);
  return (
    <DropdownMenu.Root>
      <DropdownMenu.Trigger
        className={cx(
          "inline-flex h-8 items-center gap-1.5 rounded-md border px-2.5 text-[0.8125rem] hover:bg-raised",
          chosen.length > 0 ? "border-accent bg-accent-soft" : "border-line-strong bg-surface",
        )}
      >
        {label}
        {chosen.length > 0 && <span className="figure text-xs text-accent">{chosen.length}</span>}
        <ChevronDown aria-hidden className="size-3.5 text-muted" />
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content
          align="start"
          sideOffset={4}
          className="panel z-50 max-h-96 min-w-44 overflow-y-auto p-1 shadow-(--shadow)"
        >
          {values.map((value) => (
            <DropdownMenu.CheckboxItem
              key={value}
              checked={chosen.includes(value)}
              onCheckedChange={() => toggle(value)}
              onSelect={(event) => event.preventDefault()}
              className="flex items-center gap-2 rounded px-2 py-1 text-[0.8125rem] outline-none data-highlighted:bg-raised"
            >
              <span className="flex size-4 items-center justify-center rounded-sm border border-line-strong">
                {chosen.includes(value) && <Check aria-hidden className="size-3 text-accent" />}
              </span>
              {show ? show(value) : value}
            </DropdownMenu.CheckboxItem>
          ))}
          {chosen.length > 0 && (
            <DropdownMenu.Item
              onSelect={() => onChange([])}
              className="mt-1 rounded border-t border-line px-2 py-1.5 text-[0.8125rem] text-muted outline-none data-highlighted:bg-raised"
            >
              Any
            </DropdownMenu.Item>
          )}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}
