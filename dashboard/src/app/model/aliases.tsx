"use client";

import { Ellipsis, Plus } from "lucide-react";
import Link from "next/link";
import { DropdownMenu } from "radix-ui";
import { type FormEvent, useState } from "react";
import { Refused } from "@/api/problem";
import { modelCalls, modelKeys, useAliasHistory, useModelVersions } from "@/api/queries/models";
import { useMay } from "@/api/queries/tenancy";
import type { Model, ModelAlias } from "@/api/schema";
import { Button, IconButton } from "@/components/button";
import { Confirm } from "@/components/confirm";
import { Dialog } from "@/components/dialog";
import { Field } from "@/components/field";
import { Listed } from "@/components/listed";
import { Chip, Panel } from "@/components/page";
import { Select } from "@/components/select";
import { Empty, Failure } from "@/components/states";
import { Table, Td, Th, Tr } from "@/components/table";
import { Ago } from "@/components/time";
import { useAct } from "@/hooks/use-act";
import { registryName, sessionOn, versionPage } from "@/modules/model/names";

const USUAL = ["champion", "challenger"];

/** Points an alias at a version: a new one, or one that is there. */
export function PointAlias({
  model,
  alias,
  version,
  onClose,
}: {
  model: Model;
  alias?: string;
  version?: string;
  onClose(): void;
}) {
  const versions = useModelVersions(model.name, false);
  const point = useAct(
    ({ alias, version }: { alias: string; version: string }) => modelCalls.point(model.name, alias, version),
    {
      renews: [modelKeys.all],
      done: (moved) =>
        [
          moved.previous_version === moved.version
            ? `${moved.alias} points at ${moved.version} already.`
            : `${moved.alias} points at ${moved.version} now.`,
          ...moved.warnings,
        ].join(" "),
      after: onClose,
      quiet: true,
    },
  );
  const error = point.error instanceof Refused ? point.error : null;
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    point.mutate({ alias: alias ?? String(form.get("alias")).trim(), version: String(form.get("version")) });
  };
  const all = versions.data?.pages.flatMap((page) => page.items) ?? [];
  const names = [...new Set([...model.aliases.map((one) => one.alias), ...USUAL])];
  return (
    <Dialog
      open
      onOpenChange={onClose}
      title={alias ? `Move ${alias}` : version ? `Promote ${version}` : "Set an alias"}
      description="Sessions that name the alias run on this version from their next start on. A rollback undoes it."
    >
      <form onSubmit={submit} className="flex flex-col gap-4">
        {!alias && (
          <Field
            label="Alias"
            hint="Small letters, figures, _ and -, the first a letter."
            error={error?.field("alias")}
          >
            {(props) => (
              <>
                <input
                  {...props}
                  name="alias"
                  required
                  maxLength={50}
                  pattern="[a-z][a-z0-9_\-]*"
                  list="aliases"
                  className="field figure"
                />
                <datalist id="aliases">
                  {names.map((name) => (
                    <option key={name} value={name} />
                  ))}
                </datalist>
              </>
            )}
          </Field>
        )}
        <Field label="Version" error={error?.field("version")}>
          {(props) => (
            <Select {...props} name="version" key={all.length} defaultValue={version}>
              {version && !all.some((one) => one.version === version) && <option>{version}</option>}
              {all.map((one) => (
                <option key={one.version}>{one.version}</option>
              ))}
            </Select>
          )}
        </Field>
        {point.isError && <Failure error={point.error} compact />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Leave it</Button>
          <Button type="submit" look="primary" busy={point.isPending} disabled={all.length === 0}>
            {alias ? "Move" : "Point it there"}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function History({ name, alias, onClose }: { name: string; alias: string; onClose(): void }) {
  const history = useAliasHistory(name, alias);
  return (
    <Dialog open onOpenChange={onClose} title={`History of ${alias}`} wide>
      <Listed query={history} empty={<Empty title="It has never been moved." />}>
        {(items) => (
          <Table
            label={`History of ${alias}`}
            head={["", "From", "To", "Who", "When"].map((head) => (
              <Th key={head}>{head || <span className="sr-only">Verb</span>}</Th>
            ))}
          >
            {items.map((move) => (
              <Tr key={move.seq}>
                <Td>
                  {move.verb} {move.undone && <Chip>undone</Chip>}
                </Td>
                <Td className="figure text-xs">{move.from ?? "–"}</Td>
                <Td className="figure text-xs">{move.to ?? "–"}</Td>
                <Td>{move.actor.name}</Td>
                <Td className="text-xs whitespace-nowrap text-muted">
                  <Ago at={move.at} />
                </Td>
              </Tr>
            ))}
          </Table>
        )}
      </Listed>
    </Dialog>
  );
}

type Asked = { what: "move" | "history" | "rollback" | "remove"; alias: string };

const ITEM = "flex items-center rounded px-2 py-1.5 text-[0.8125rem] outline-none data-highlighted:bg-raised";

function More({ alias, mayWrite, onAsk }: { alias: string; mayWrite: boolean; onAsk(asked: Asked): void }) {
  const offers: [Asked["what"], string][] = [
    ["history", "History"],
    ...(mayWrite
      ? ([
          ["move", "Move"],
          ["rollback", "Roll back"],
          ["remove", "Take away"],
        ] as [Asked["what"], string][])
      : []),
  ];
  return (
    <DropdownMenu.Root>
      <DropdownMenu.Trigger asChild>
        <IconButton label={`More of ${alias}`}>
          <Ellipsis aria-hidden className="size-4" />
        </IconButton>
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content align="end" sideOffset={4} className="panel z-50 w-36 p-1 shadow-(--shadow)">
          {offers.map(([what, label]) => (
            <DropdownMenu.Item key={what} className={ITEM} onSelect={() => onAsk({ what, alias })}>
              {label}
            </DropdownMenu.Item>
          ))}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}

function Row({ model, one, onAsk }: { model: Model; one: ModelAlias; onAsk(asked: Asked): void }) {
  const mayWrite = useMay("models:write");
  const mayRun = useMay("sessions:write");
  return (
    <li className="flex items-center gap-2 border-b border-line px-3 py-2 text-[0.8125rem] last:border-0">
      <div className="min-w-0 flex-1">
        <p className="flex flex-wrap items-baseline gap-x-2">
          <span className="font-medium">{one.alias}</span>
          <Link href={versionPage(model.name, one.version)} className="figure text-xs underline underline-offset-2">
            {one.version}
          </Link>
        </p>
        <p className="text-2xs text-muted">
          by {one.moved_by.name} <Ago at={one.moved_at} />
        </p>
      </div>
      {mayRun && (
        <Link
          href={sessionOn(registryName(model.name, one.alias))}
          className="text-xs whitespace-nowrap underline underline-offset-2"
        >
          Run a session
        </Link>
      )}
      <More alias={one.alias} mayWrite={mayWrite} onAsk={onAsk} />
    </li>
  );
}

export function Aliases({ model }: { model: Model }) {
  const mayWrite = useMay("models:write");
  const [asked, setAsked] = useState<Asked | { what: "new"; alias: "" } | null>(null);
  const close = () => setAsked(null);
  const rollBack = useAct((alias: string) => modelCalls.rollBack(model.name, alias), {
    renews: [modelKeys.all],
    done: (moved) => `${moved.alias} points at ${moved.version} again.`,
    after: close,
  });
  const remove = useAct((alias: string) => modelCalls.removeAlias(model.name, alias), {
    renews: [modelKeys.all],
    done: "The alias is taken away.",
    after: close,
  });
  return (
    <Panel
      title="Aliases"
      actions={
        mayWrite && (
          <Button small onClick={() => setAsked({ what: "new", alias: "" })}>
            <Plus aria-hidden className="size-3.5" /> Set alias
          </Button>
        )
      }
    >
      {model.aliases.length === 0 ? (
        <p className="p-3 text-[0.8125rem] text-muted">
          There are none. An alias names a purpose, such as champion: sessions name it, and it decides which version
          they run on.
        </p>
      ) : (
        <ul>
          {model.aliases.map((one) => (
            <Row key={one.alias} model={model} one={one} onAsk={setAsked} />
          ))}
        </ul>
      )}
      {asked?.what === "new" && <PointAlias model={model} onClose={close} />}
      {asked?.what === "move" && <PointAlias model={model} alias={asked.alias} onClose={close} />}
      {asked?.what === "history" && <History name={model.name} alias={asked.alias} onClose={close} />}
      {asked?.what === "rollback" && (
        <Confirm
          title={`Roll ${asked.alias} back?`}
          text="Its newest move is undone: it points where it pointed before. Called again, the move before that."
          act="Roll back"
          busy={rollBack.isPending}
          onConfirm={() => rollBack.mutate(asked.alias)}
          onClose={close}
        />
      )}
      {asked?.what === "remove" && (
        <Confirm
          title={`Take ${asked.alias} away?`}
          text="Sessions that name it are refused from then on, and those that wait fail. Its versions stay."
          act="Take away"
          danger
          busy={remove.isPending}
          onConfirm={() => remove.mutate(asked.alias)}
          onClose={close}
        />
      )}
    </Panel>
  );
}
