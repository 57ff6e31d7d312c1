"use client";

import { Check, Copy, TriangleAlert } from "lucide-react";
import { useState } from "react";
import { ActionButton } from "./action-button";

/** Shows a secret that cannot be shown again. */
export function OneTimeSecret({ label, secret, onDone }: { label: string; secret: string; onDone(): void }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(secret);
    setCopied(true);
  };
  return (
    <div className="flex flex-col gap-3 text-[0.8125rem]">
      <p className="flex gap-2 rounded-md border border-line bg-warning-soft p-2.5">
        <TriangleAlert aria-hidden className="mt-0.5 size-4 shrink-0 text-warning" />
        Copy it now: it is not stored and cannot be shown again. Anyone who has it can use it.
      </p>
      <output
        aria-label={label}
        className="figure rounded-md border border-line bg-raised p-2.5 text-xs break-all select-all"
      >
        {secret}
      </output>
      <div className="flex justify-end gap-2">
        <ActionButton look="primary" onClick={copy}>
          {copied ? <Check aria-hidden className="size-3.5" /> : <Copy aria-hidden className="size-3.5" />}
          {copied ? "Copied" : "Copy"}
        </ActionButton>
        <ActionButton onClick={onDone}>Done</ActionButton>
      </div>
    </div>
  );
}
