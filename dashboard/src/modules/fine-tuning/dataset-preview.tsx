"use client";

import type { DatasetPreview } from "@/api/schema";
import { formatBytes, formatCompact, formatCount } from "@/components/format";
import { NoticeBox } from "@/components/notice-box";
import { StatTiles } from "@/components/page-layout";
import { DatasetTallyLists } from "./dataset-tally";

/** The result of a recipe: the number of samples, what is left out and why, and the first samples. */
export function DatasetPreviewPanel({ preview }: { preview: DatasetPreview }) {
  const figures: [string, string][] = [
    ["Samples", formatCount(preview.samples)],
    ["Training", formatCount(preview.training_samples)],
    ["Held out", formatCount(preview.held_out_samples)],
    ["Sessions examined", formatCount(preview.looked_at)],
    ["Estimated tokens", formatCompact(preview.tokens)],
    ["Size", formatBytes(preview.bytes)],
  ];
  return (
    <div className="flex flex-col gap-4">
      <StatTiles items={figures} />
      {preview.samples === 0 && (
        <NoticeBox warns>No sample is left: a job with this recipe would fail. Relax the recipe.</NoticeBox>
      )}
      {!preview.complete && <NoticeBox>Only the newest sessions were examined. A job examines all of them.</NoticeBox>}
      <DatasetTallyLists tally={preview} />
      {preview.examples.length > 0 && (
        <details>
          <summary className="text-[0.8125rem] text-muted">
            The first {preview.examples.length === 1 ? "sample" : `${preview.examples.length} samples`}, redacted
          </summary>
          {preview.examples.map((example, at) => (
            <pre
              // biome-ignore lint/suspicious/noArrayIndexKey: examples have no identity besides their position
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
