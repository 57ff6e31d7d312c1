"use client";

import { TriangleAlert } from "lucide-react";
import { type FormEvent, useState } from "react";
import { Refused } from "@/api/problem";
import { modelCalls, modelKeys, useBaseModels } from "@/api/queries/models";
import type { BaseModel, NewBaseModel } from "@/api/schema";
import { Button } from "@/components/button";
import { Dialog, FormEnd } from "@/components/dialog";
import { Field } from "@/components/field";
import { count } from "@/components/format";
import { Listed } from "@/components/listed";
import { Panel } from "@/components/page";
import { Table, Td, Th, Tr } from "@/components/table";
import { useAct } from "@/hooks/use-act";

function Edit({ base, onClose }: { base: BaseModel; onClose(): void }) {
  const save = useAct((body: NewBaseModel) => modelCalls.keepBase(body), {
    renews: [modelKeys.all],
    done: "Noted.",
    after: onClose,
    quiet: true,
  });
  const error = save.error instanceof Refused ? save.error : null;
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? "").trim() || null;
    save.mutate({ base_model: base.base_model, retires_on: text("retires_on"), note: text("note") });
  };
  return (
    <Dialog
      open
      onOpenChange={onClose}
      title={base.base_model}
      description="From 90 days before it retires, everything that stands on it warns of it."
    >
      <form onSubmit={submit} className="flex flex-col gap-4">
        <Field label="Not served from" hint="Empty when no day is known." error={error?.field("retires_on")}>
          {(props) => (
            <input
              {...props}
              name="retires_on"
              type="date"
              defaultValue={base.retires_on ?? ""}
              className="field figure"
            />
          )}
        </Field>
        <Field label="Note" error={error?.field("note")}>
          {(props) => (
            <textarea
              {...props}
              name="note"
              rows={3}
              maxLength={1000}
              defaultValue={base.note ?? ""}
              className="field h-auto! py-1.5"
            />
          )}
        </Field>
        <FormEnd mutation={save} act="Save" onClose={onClose} />
      </form>
    </Dialog>
  );
}

/** What versions stand on, and until when it is served. */
export function BaseModels({ mayWrite }: { mayWrite: boolean }) {
  const bases = useBaseModels();
  const [editing, setEditing] = useState<BaseModel | null>(null);
  return (
    <Panel title="Base models" className="mt-3">
      <Listed
        query={bases}
        more="More of them"
        empty={<p className="p-3 text-[0.8125rem] text-muted">No version stands on anything yet.</p>}
      >
        {(items) => (
          <Table
            label="Base models"
            head={["Base model", "Versions", "Retires on", "Note", ""].map((head) => (
              <Th key={head} className={head === "Versions" ? "text-right" : undefined}>
                {head || <span className="sr-only">Actions</span>}
              </Th>
            ))}
          >
            {items.map((base) => (
              <Tr key={base.base_model}>
                <Td className="figure text-xs">{base.base_model}</Td>
                <Td className="figure text-right text-xs">{count(base.versions)}</Td>
                <Td>
                  <span className="figure text-xs">{base.retires_on ?? "–"}</span>
                  {base.warnings.map((warning) => (
                    <p key={warning} className="flex items-start gap-1.5 text-xs">
                      <TriangleAlert aria-hidden className="mt-0.5 size-3.5 shrink-0 text-warning" />
                      {warning}
                    </p>
                  ))}
                </Td>
                <Td className="max-w-96 text-xs text-muted">{base.note}</Td>
                <Td className="text-right">
                  {mayWrite && (
                    <Button small aria-label={`Change ${base.base_model}`} onClick={() => setEditing(base)}>
                      Change
                    </Button>
                  )}
                </Td>
              </Tr>
            ))}
          </Table>
        )}
      </Listed>
      {editing && <Edit base={editing} onClose={() => setEditing(null)} />}
    </Panel>
  );
}
