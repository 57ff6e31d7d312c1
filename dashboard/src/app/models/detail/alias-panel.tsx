"use client";

import { Ellipsis, Plus } from "lucide-react";
import Link from "next/link";
import { DropdownMenu } from "radix-ui";
import type { Model, ModelAlias } from "@/api/schema";
import { ActionButton, IconButton } from "@/components/action-button";
import { SectionPanel } from "@/components/page-layout";
import { RelativeTime } from "@/components/relative-time";
import { newSessionPath, registryName, versionPath } from "@/modules/model/names";

type AliasCommand = "move" | "history" | "rollback" | "remove";

/** A command for an alias. */
export type AliasRequest = { command: "create" } | { command: AliasCommand; alias: string };

const ITEM = "flex items-center rounded px-2 py-1.5 text-[0.8125rem] outline-none data-highlighted:bg-raised";

const COMMANDS: readonly [AliasCommand, string][] = [
  ["history", "History"],
  ["move", "Move"],
  ["rollback", "Roll back"],
  ["remove", "Remove"],
];

interface AliasMenuProps {
  alias: string;
  mayWrite: boolean;
  onRequest(request: AliasRequest): void;
}

function AliasMenu({ alias, mayWrite, onRequest }: AliasMenuProps) {
  return (
    <DropdownMenu.Root>
      <DropdownMenu.Trigger asChild>
        <IconButton label={`Actions for ${alias}`}>
          <Ellipsis aria-hidden className="size-4" />
        </IconButton>
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content align="end" sideOffset={4} className="panel z-50 w-36 p-1 shadow-(--shadow)">
          {COMMANDS.filter(([command]) => mayWrite || command === "history").map(([command, label]) => (
            <DropdownMenu.Item key={command} className={ITEM} onSelect={() => onRequest({ command, alias })}>
              {label}
            </DropdownMenu.Item>
          ))}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}

function AliasRow({ model, alias, mayWrite, mayRun, onRequest }: AliasPanelProps & { alias: ModelAlias }) {
  return (
    <li className="flex items-center gap-2 border-b border-line px-3 py-2 text-[0.8125rem] last:border-0">
      <div className="min-w-0 flex-1">
        <p className="flex flex-wrap items-baseline gap-x-2">
          <span className="font-medium">{alias.alias}</span>
          <Link href={versionPath(model.name, alias.version)} className="figure text-xs underline underline-offset-2">
            {alias.version}
          </Link>
        </p>
        <p className="text-2xs text-muted">
          by {alias.moved_by.name} <RelativeTime at={alias.moved_at} />
        </p>
      </div>
      {mayRun && (
        <Link
          href={newSessionPath(registryName(model.name, alias.alias))}
          className="text-xs whitespace-nowrap underline underline-offset-2"
        >
          Run a session
        </Link>
      )}
      <AliasMenu alias={alias.alias} mayWrite={mayWrite} onRequest={onRequest} />
    </li>
  );
}

interface AliasPanelProps {
  model: Model;
  mayWrite: boolean;
  mayRun: boolean;
  onRequest(request: AliasRequest): void;
}

export function AliasPanel({ model, mayWrite, mayRun, onRequest }: AliasPanelProps) {
  return (
    <SectionPanel
      title="Aliases"
      actions={
        mayWrite && (
          <ActionButton small onClick={() => onRequest({ command: "create" })}>
            <Plus aria-hidden className="size-3.5" /> Set alias
          </ActionButton>
        )
      }
    >
      {model.aliases.length === 0 ? (
        <p className="p-3 text-[0.8125rem] text-muted">
          There are no aliases. An alias names a purpose, such as champion. Sessions refer to the alias, and the alias
          decides which version they run on.
        </p>
      ) : (
        <ul>
          {model.aliases.map((alias) => (
            <AliasRow
              key={alias.alias}
              model={model}
              alias={alias}
              mayWrite={mayWrite}
              mayRun={mayRun}
              onRequest={onRequest}
            />
          ))}
        </ul>
      )}
    </SectionPanel>
  );
}
