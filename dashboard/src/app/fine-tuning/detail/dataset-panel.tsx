"use client";

import type { Dataset } from "@/api/schema";

import { CopyButton } from "@/components/copy-button";
import { formatBytes, formatCompact, formatCount } from "@/components/format";
import { NoticeBox } from "@/components/notice-box";
import { StatTiles } from "@/components/page-layout";
import { RelativeTime } from "@/components/relative-time";
import { DatasetTallyLists } from "@/modules/fine-tuning/dataset-tally";

export function DatasetPanel({ dataset }: { dataset: Dataset }) {
  return (
    <>
      <div className="p-3">
        <StatTiles
          items={[
            ["Samples", formatCount(dataset.samples)],
            ["Training", formatCount(dataset.training.samples), formatBytes(dataset.training.bytes)],
            [
              "Held out",
              formatCount(dataset.held_out?.samples ?? 0),
              dataset.held_out ? formatBytes(dataset.held_out.bytes) : undefined,
            ],
            ["Sessions examined", formatCount(dataset.tally.looked_at)],
            ["Estimated tokens", formatCompact(dataset.tally.tokens)],
          ]}
        />
        <p className="mt-3 flex flex-wrap items-center gap-x-1 text-xs text-muted">
          SHA-256 <span className="figure break-all">{dataset.sha256}</span>
          <CopyButton text={dataset.sha256} label="Copy the hash" />
          created <RelativeTime at={dataset.created_at} />
        </p>
      </div>
      <div className="border-t border-line p-3">
        <DatasetTallyLists tally={dataset.tally} />
      </div>
      {dataset.deleted_sessions > 0 && (
        <div className="p-3 pt-0">
          <NoticeBox warns>
            {formatCount(dataset.deleted_sessions)} of its sessions {dataset.deleted_sessions === 1 ? "was" : "were"}{" "}
            deleted after the dataset was created. The dataset still contains their messages. If that is not acceptable,
            create a new dataset and train again.
          </NoticeBox>
        </div>
      )}
    </>
  );
}
