"use client";

import { CirclePlay } from "lucide-react";
import type { ReactNode } from "react";
import type { Model, ModelVersion } from "@/api/schema";
import { ButtonLink } from "@/components/button-link";
import { CopyButton } from "@/components/copy-button";
import type { PagedState } from "@/components/load-state";
import { PageHeader } from "@/components/page-layout";
import { newSessionPath, registryName } from "@/modules/model/names";
import { VersionTable } from "./version-table";

export interface ModelViewProps {
  model: Model;
  /** The version whose details are shown. */
  version: string;
  versions: PagedState<ModelVersion>;
  showArchived: boolean;
  onShowArchived(show: boolean): void;
  onCompare(a: string, b: string): void;
  mayRun: boolean;
  comparison?: ReactNode;
  details: ReactNode;
  aliases: ReactNode;
}

/** How sessions refer to the model by default: its champion, or another alias, or its newest version. */
function defaultReference(model: Model): string {
  const alias = model.aliases.find(({ alias }) => alias === "champion") ?? model.aliases[0];
  return registryName(model.name, alias?.alias ?? model.newest_version);
}

export function ModelView(props: ModelViewProps) {
  const { model, mayRun, comparison, details, aliases } = props;
  const reference = defaultReference(model);
  return (
    <div className="mx-auto max-w-[120rem]">
      <PageHeader
        title={model.name}
        aside={
          <span className="inline-flex items-center gap-1">
            <span className="figure text-xs break-all">{reference}</span>
            <CopyButton text={reference} label="Copy the reference for sessions" />
          </span>
        }
      >
        {mayRun && (
          <ButtonLink primary href={newSessionPath(reference)}>
            <CirclePlay aria-hidden className="size-4" /> Run a session
          </ButtonLink>
        )}
      </PageHeader>
      <div className="grid items-start gap-3 xl:grid-cols-[minmax(0,1fr)_24rem]">
        <div className="flex min-w-0 flex-col gap-3">
          {comparison}
          <VersionTable
            versions={props.versions}
            current={props.version}
            showArchived={props.showArchived}
            onShowArchived={props.onShowArchived}
            onCompare={props.onCompare}
          />
          {details}
        </div>
        {aliases}
      </div>
    </div>
  );
}
