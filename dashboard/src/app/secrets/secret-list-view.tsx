"use client";

import { Plus } from "lucide-react";
import type { Secret } from "@/api/fleet-types";
import { ActionButton } from "@/components/action-button";
import { EmptyState } from "@/components/content-states";
import { DataTable, HeaderCell, TableCell, TableRow } from "@/components/data-table";
import type { ListState } from "@/components/load-state";
import { LoadedContent } from "@/components/loaded-content";
import { NoticeBox } from "@/components/notice-box";
import { PageHeader, SectionPanel } from "@/components/page-layout";
import { RelativeTime } from "@/components/relative-time";
import { KIND_TITLES, PHASE_TITLES } from "@/modules/secret/secret-scopes";

/** Which host or provider the secret is for. */
function secretTarget({ kind, host, username, provider }: Secret): string | null {
  if (kind === "git") return `${username ? `${username}@` : ""}${host ?? ""}`;
  return kind === "provider" ? (provider ?? null) : null;
}

interface SecretRowProps {
  secret: Secret;
  scope: string;
  /** Absent for callers who may not change this secret. */
  onReplace?(): void;
  onDelete?(): void;
}

function SecretRow({ secret, scope, onReplace, onDelete }: SecretRowProps) {
  const target = secretTarget(secret);
  return (
    <TableRow>
      <TableCell className="figure font-medium">{secret.name}</TableCell>
      <TableCell>{scope}</TableCell>
      <TableCell>
        {KIND_TITLES[secret.kind]}
        {target && <span className="figure block text-2xs text-muted">{target}</span>}
      </TableCell>
      <TableCell>{PHASE_TITLES[secret.phase]}</TableCell>
      <TableCell className="text-xs text-muted">
        <RelativeTime at={secret.updated_at} /> by {secret.updated_by.name}
      </TableCell>
      <TableCell className="text-right whitespace-nowrap">
        {onReplace && (
          <span className="inline-flex gap-1.5">
            <ActionButton small aria-label={`Replace ${secret.name}, ${scope}`} onClick={onReplace}>
              Replace
            </ActionButton>
            <ActionButton small look="danger" aria-label={`Delete ${secret.name}, ${scope}`} onClick={onDelete}>
              Delete
            </ActionButton>
          </span>
        )}
      </TableCell>
    </TableRow>
  );
}

interface SecretListViewProps {
  secrets: ListState<Secret>;
  /** The name of a secret's scope. */
  titleOf(secret: Secret): string;
  mayChange(secret: Secret): boolean;
  /** Absent for callers who may not create secrets. */
  onCreate?(): void;
  onReplace(secret: Secret): void;
  onDelete(secret: Secret): void;
}

export function SecretListView(props: SecretListViewProps) {
  const { secrets, titleOf, mayChange, onCreate, onReplace, onDelete } = props;
  return (
    <div className="mx-auto flex max-w-6xl flex-col gap-3">
      <PageHeader title="Secrets">
        {onCreate && (
          <ActionButton look="primary" onClick={onCreate}>
            <Plus aria-hidden className="size-4" /> New secret
          </ActionButton>
        )}
      </PageHeader>
      <NoticeBox>
        Values are stored encrypted and are never shown. A session receives the secrets that its environment names: for
        the same name, the secret of the person who created the session takes precedence over the environment's, and
        that over the tenant's.
      </NoticeBox>
      <SectionPanel title="Secrets that you can use">
        <LoadedContent state={secrets}>
          {({ items }) =>
            items.length === 0 ? (
              <EmptyState title="There are no secrets yet.">
                Sessions need them to clone private repositories, to install private packages, or to call a provider.
              </EmptyState>
            ) : (
              <DataTable
                label="Secrets"
                head={["Name", "Scope", "Kind", "Seen by", "Changed", ""].map((head) => (
                  <HeaderCell key={head}>{head || <span className="sr-only">Actions</span>}</HeaderCell>
                ))}
              >
                {items.map((secret) => (
                  <SecretRow
                    key={secret.id}
                    secret={secret}
                    scope={titleOf(secret)}
                    onReplace={mayChange(secret) ? () => onReplace(secret) : undefined}
                    onDelete={() => onDelete(secret)}
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
