"use client";

import { Search } from "lucide-react";
import { useEffect, useState } from "react";
import { cx } from "./class-names";

interface SearchFieldProps {
  label: string;
  placeholder: string;
  value: string;
  onSettled(value: string): void;
  className?: string;
}

/** A search input that reports its text once typing pauses. */
export function SearchField({ label, placeholder, value, onSettled, className }: SearchFieldProps) {
  const [typed, setTyped] = useState(value);
  useEffect(() => setTyped(value), [value]);
  useEffect(() => {
    if (typed.trim() === value) return;
    const timer = setTimeout(() => onSettled(typed.trim()), 250);
    return () => clearTimeout(timer);
  }, [typed, value, onSettled]);
  return (
    <div className={cx("relative w-64 max-sm:w-full", className)}>
      <Search aria-hidden className="absolute top-2.5 left-2.5 size-3.5 text-muted" />
      <input
        type="search"
        aria-label={label}
        placeholder={placeholder}
        maxLength={200}
        value={typed}
        onChange={(event) => setTyped(event.target.value)}
        className="field pl-8 text-[0.8125rem]"
      />
    </div>
  );
}
