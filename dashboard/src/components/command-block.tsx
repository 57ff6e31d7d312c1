"use client";

import { Check, Copy } from "lucide-react";
import { useState } from "react";
import { ActionButton } from "./action-button";

/** A command to run in a shell, with a button that copies it. */
export function CommandBlock({ label, command }: { label: string; command: string }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(command);
    setCopied(true);
  };
  return (
    <div className="flex flex-col gap-2">
      <pre
        role="region"
        aria-label={label}
        className="figure rounded-md border border-line bg-raised p-2.5 text-xs break-all whitespace-pre-wrap select-all"
      >
        {command}
      </pre>
      <ActionButton look="primary" className="self-end" onClick={copy}>
        {copied ? <Check aria-hidden className="size-3.5" /> : <Copy aria-hidden className="size-3.5" />}
        {copied ? "Copied" : "Copy the command"}
      </ActionButton>
    </div>
  );
}
