"use client";

import { Check, Copy as CopyIcon } from "lucide-react";
import { useState } from "react";
import { cx } from "./class-names";

/** Copies a text to the clipboard and confirms it. */
export function CopyButton({ text, label, className }: { text: string; label: string; className?: string }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setDone(true);
    setTimeout(() => setDone(false), 1500);
  };
  return (
    <button
      type="button"
      onClick={copy}
      aria-label={done ? "Copied" : label}
      title={label}
      className={cx(
        "inline-flex size-6 items-center justify-center rounded text-muted hover:bg-raised hover:text-text",
        className,
      )}
    >
      {done ? <Check aria-hidden className="size-3.5 text-good" /> : <CopyIcon aria-hidden className="size-3.5" />}
    </button>
  );
}
