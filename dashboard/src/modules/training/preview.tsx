"use client";

import type { DatasetPreview } from "@/api/schema";
import { bytes, compact, count } from "@/components/format";
import { Notice } from "@/components/notice";
import { Tiles } from "@/components/page";
import { Tally } from "./tally";

/** What a recipe would give: how many samples, what was left out and why, and the first of them. */
export function Preview({ preview }: { preview: DatasetPreview }) {
  const figures: [string, string][] = [
    ["Samples", count(preview.samples)],
    ["To train", count(preview.training_samples)],
    ["Held out", count(preview.held_out_samples)],
    ["Looked at", count(preview.looked_at)],
    ["Tokens, about", compact(preview.tokens)],
    ["Size", bytes(preview.bytes)],
  ];
  return (
    <div className="flex flex-col gap-4">
      <Tiles items={figures} />
      {preview.samples === 0 && (
        <Notice warns>Nothing is left to train with: a job with this recipe would fail. Loosen it.</Notice>
      )}
      {!preview.complete && <Notice>Only the newest sessions were looked at; a job looks at all of them.</Notice>}
      <Tally tally={preview} />
      {preview.examples.length > 0 && (
        <details>
          <summary className="text-[0.8125rem] text-muted">
            The first {preview.examples.length === 1 ? "sample" : `${preview.examples.length} samples`}, redacted
          </summary>
          {preview.examples.map((example, at) => (
            <pre
              // biome-ignore lint/suspicious/noArrayIndexKey: examples have no other name than their place
              key={at}
              tabIndex={0}
              className="figure mt-2 max-h-56 overflow-auto rounded-md border border-line bg-raised p-2 text-2xs whitespace-pre-wrap"
            >
              {JSON.stringify(example, null, 1)}
            </pre>
          ))}
        </details>
      )}
    </div>
  );
}
