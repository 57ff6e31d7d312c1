"use client";

import type { Model } from "@/api/schema";
import { LoadedContent } from "@/components/loaded-content";
import { DatasetSessions } from "@/modules/fine-tuning/dataset-sessions";
import { useModelVersion, useVersionComparison } from "@/queries/models";
import { VersionActions } from "./version-actions";
import { VersionComparison } from "./version-comparison";
import { VersionDetails } from "./version-details";

interface VersionComparisonLoaderProps {
  name: string;
  a: string;
  b: string;
  onClose(): void;
}

export function VersionComparisonLoader({ name, a, b, onClose }: VersionComparisonLoaderProps) {
  const comparison = useVersionComparison(name, a, b);
  return <VersionComparison title={`${a} and ${b}`} comparison={comparison} onClose={onClose} />;
}

export function VersionDetailsLoader({ model, version }: { model: Model; version: string }) {
  const details = useModelVersion(model.name, version);
  return (
    <LoadedContent state={details}>
      {(version) => (
        <VersionDetails
          version={version}
          actions={<VersionActions model={model} version={version} />}
          sessions={version.lineage.dataset_id && <DatasetSessions id={version.lineage.dataset_id} />}
        />
      )}
    </LoadedContent>
  );
}
