"use client";

import { Plus } from "lucide-react";
import type { ApiKey } from "@/api/schema";
import { ActionButton } from "@/components/action-button";
import { EmptyState } from "@/components/content-states";
import { DataTable, HeaderCell, TableCell, TableRow } from "@/components/data-table";
import type { ListState } from "@/components/load-state";
import { LoadedContent } from "@/components/loaded-content";
import { LabelChip, PageHeader, SectionPanel } from "@/components/page-layout";
import { RelativeTime } from "@/components/relative-time";

function apiKeyState(key: ApiKey): string {
  if (key.revoked_at) return "revoked";
  if (key.expires_at && Date.parse(key.expires_at) < Date.now()) return "expired";
  return key.rotated_to ? "rotated" : "active";
}

interface ApiKeyRowProps {
  apiKey: ApiKey;
  isOwn: boolean;
  onRevoke(): void;
  onRotate(): void;
}

function ApiKeyRow({ apiKey, isOwn, onRevoke, onRotate }: ApiKeyRowProps) {
  const state = apiKeyState(apiKey);
  return (
    <TableRow className={state === "active" ? undefined : "text-muted"}>
      <TableCell>
        <p className="font-medium">
          {apiKey.name} {isOwn && <LabelChip>used by this page</LabelChip>}
        </p>
        <p className="figure max-w-72 truncate text-2xs text-muted" title={apiKey.prefix}>
          {apiKey.prefix}…
        </p>
      </TableCell>
      <TableCell>{apiKey.role}</TableCell>
      <TableCell className="figure text-xs">{apiKey.scopes.length > 0 ? apiKey.scopes.join(" ") : "all"}</TableCell>
      <TableCell>{state}</TableCell>
      <TableCell className="text-xs text-muted">
        {apiKey.last_used_at ? <RelativeTime at={apiKey.last_used_at} /> : "never"}
      </TableCell>
      <TableCell className="text-xs text-muted">
        {apiKey.expires_at ? <RelativeTime at={apiKey.expires_at} /> : "never"}
      </TableCell>
      <TableCell className="text-right whitespace-nowrap">
        {(state === "active" || state === "rotated") && (
          <span className="inline-flex gap-1.5">
            {state === "active" && (
              <ActionButton small onClick={onRotate}>
                Rotate
              </ActionButton>
            )}
            <ActionButton small look="danger" onClick={onRevoke}>
              Revoke
            </ActionButton>
          </span>
        )}
      </TableCell>
    </TableRow>
  );
}

interface ApiKeyListViewProps {
  keys: ListState<ApiKey>;
  /** The key that this page was opened with, if it was a key. */
  ownKeyId?: string;
  /** Absent for callers who may not create keys. */
  onCreate?(): void;
  onRevoke(key: ApiKey): void;
  onRotate(key: ApiKey): void;
}

export function ApiKeyListView({ keys, ownKeyId, onCreate, onRevoke, onRotate }: ApiKeyListViewProps) {
  return (
    <div className="mx-auto max-w-6xl">
      <PageHeader title="API keys">
        {onCreate && (
          <ActionButton look="primary" onClick={onCreate}>
            <Plus aria-hidden className="size-4" /> Create key
          </ActionButton>
        )}
      </PageHeader>
      <SectionPanel title="Keys of this tenant">
        <LoadedContent state={keys}>
          {({ items }) =>
            items.length === 0 ? (
              <EmptyState title="There are no keys." />
            ) : (
              <DataTable
                label="API keys"
                head={["Name", "Role", "Scopes", "State", "Last used", "Expires", ""].map((head) => (
                  <HeaderCell key={head}>{head || <span className="sr-only">Actions</span>}</HeaderCell>
                ))}
              >
                {items.map((key) => (
                  <ApiKeyRow
                    key={key.id}
                    apiKey={key}
                    isOwn={key.id === ownKeyId}
                    onRevoke={() => onRevoke(key)}
                    onRotate={() => onRotate(key)}
                  />
                ))}
              </DataTable>
            )
          }
        </LoadedContent>
      </SectionPanel>
    </div>
  );
}
