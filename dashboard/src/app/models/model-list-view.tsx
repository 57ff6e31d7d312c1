"use client";

import { Plus } from "lucide-react";
import Link from "next/link";
import type { BaseModel, Model } from "@/api/schema";
import { ActionButton } from "@/components/action-button";
import { EmptyState } from "@/components/content-states";
import { DataTable, HeaderCell, TableCell, TableRow } from "@/components/data-table";
import { formatCount } from "@/components/format";
import type { PagedState } from "@/components/load-state";
import { PageHeader, SectionPanel } from "@/components/page-layout";
import { PagedList } from "@/components/paged-list";
import { RelativeTime } from "@/components/relative-time";
import { SearchField } from "@/components/search-field";
import { BaseModelPanel } from "./base-model-panel";

function ModelRow({ model }: { model: Model }) {
  return (
    <TableRow>
      <TableCell>
        <Link href={`/models/detail/?name=${model.name}`} className="font-medium hover:underline">
          {model.name}
        </Link>
      </TableCell>
      <TableCell className="figure text-xs">{model.newest_version}</TableCell>
      <TableCell className="figure text-right text-xs">{formatCount(model.versions)}</TableCell>
      <TableCell className="min-w-40">
        <span className="flex flex-wrap gap-1">
          {model.aliases.map(({ alias, version }) => (
            <span key={alias} className="inline-flex rounded border border-line bg-raised px-1.5 text-2xs">
              {alias}
              <span className="figure ml-1 text-muted">{version}</span>
            </span>
          ))}
          {model.aliases.length === 0 && <span className="text-xs text-muted">none</span>}
        </span>
      </TableCell>
      <TableCell className="figure text-xs">{model.base_model}</TableCell>
      <TableCell className="text-xs whitespace-nowrap text-muted">
        <RelativeTime at={model.updated_at} />
      </TableCell>
    </TableRow>
  );
}

interface ModelListViewProps {
  models: PagedState<Model>;
  search: string;
  onSearch(search: string): void;
  /** Absent for callers who may not register versions. */
  onRegister?(): void;
  baseModels: PagedState<BaseModel>;
  onEditBaseModel?(base: BaseModel): void;
}

const HEADS = ["Model", "Newest", "Versions", "Aliases", "Base model", "Last registered"];

export function ModelListView(props: ModelListViewProps) {
  const { models, search, onSearch, onRegister, baseModels, onEditBaseModel } = props;
  return (
    <div className="mx-auto max-w-[120rem]">
      <PageHeader title="Model registry">
        <SearchField label="Find a model" placeholder="Find a model" value={search} onSettled={onSearch} />
        {onRegister && (
          <ActionButton look="primary" onClick={onRegister}>
            <Plus aria-hidden className="size-4" /> Register version
          </ActionButton>
        )}
      </PageHeader>
      <SectionPanel title="Models">
        <PagedList
          state={models}
          more="Load more"
          empty={
            <EmptyState title={search ? "No model matches." : "There are no models yet."}>
              {search ? "Search for something else." : "Models that fine-tuning jobs train are registered here."}
            </EmptyState>
          }
        >
          {(items) => (
            <DataTable
              label="Models"
              head={HEADS.map((head) => (
                <HeaderCell key={head} className={head === "Versions" ? "text-right" : undefined}>
                  {head}
                </HeaderCell>
              ))}
            >
              {items.map((model) => (
                <ModelRow key={model.name} model={model} />
              ))}
            </DataTable>
          )}
        </PagedList>
      </SectionPanel>
      <BaseModelPanel baseModels={baseModels} onEdit={onEditBaseModel} />
    </div>
  );
}
