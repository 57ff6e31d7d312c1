"use client";

import { Plus } from "lucide-react";
import Link from "next/link";
import { useState } from "react";
import { useModels } from "@/api/queries/models";
import { useMay } from "@/api/queries/tenancy";
import type { Model } from "@/api/schema";
import { Button } from "@/components/button";
import { count } from "@/components/format";
import { Listed } from "@/components/listed";
import { PageHead, Panel } from "@/components/page";
import { SearchField } from "@/components/search-field";
import { Empty } from "@/components/states";
import { Table, Td, Th, Tr } from "@/components/table";
import { Ago } from "@/components/time";
import { useQueryState } from "@/hooks/use-query-state";
import { BaseModels } from "./base-models";
import { RegisterVersion } from "./register";

function Row({ model }: { model: Model }) {
  return (
    <Tr>
      <Td>
        <Link href={`/model/?name=${model.name}`} className="font-medium hover:underline">
          {model.name}
        </Link>
      </Td>
      <Td className="figure text-xs">{model.newest_version}</Td>
      <Td className="figure text-right text-xs">{count(model.versions)}</Td>
      <Td className="min-w-40">
        <span className="flex flex-wrap gap-1">
          {model.aliases.map(({ alias, version }) => (
            <span key={alias} className="inline-flex rounded border border-line bg-raised px-1.5 text-2xs">
              {alias}
              <span className="figure ml-1 text-muted">{version}</span>
            </span>
          ))}
          {model.aliases.length === 0 && <span className="text-xs text-muted">none</span>}
        </span>
      </Td>
      <Td className="figure text-xs">{model.base_model}</Td>
      <Td className="text-xs whitespace-nowrap text-muted">
        <Ago at={model.updated_at} />
      </Td>
    </Tr>
  );
}

export function Models() {
  const [search, set] = useQueryState();
  const q = search.get("q") ?? "";
  const models = useModels(q);
  const mayWrite = useMay("models:write");
  const [registering, setRegistering] = useState(false);
  return (
    <div className="mx-auto max-w-[120rem]">
      <PageHead title="Model registry">
        <SearchField label="Find a model" placeholder="Find a model" value={q} onRest={(q) => set({ q })} />
        {mayWrite && (
          <Button look="primary" onClick={() => setRegistering(true)}>
            <Plus aria-hidden className="size-4" /> Register version
          </Button>
        )}
      </PageHead>
      <Panel title="Models">
        <Listed
          query={models}
          more="More of them"
          empty={
            <Empty title={q ? "No model fits." : "There are no models yet."}>
              {q ? "Look for something else." : "What a job of fine-tuning trains is registered here by itself."}
            </Empty>
          }
        >
          {(items) => (
            <Table
              label="Models"
              head={["Model", "Newest", "Versions", "Aliases", "Stands on", "Last registered"].map((head) => (
                <Th key={head} className={head === "Versions" ? "text-right" : undefined}>
                  {head}
                </Th>
              ))}
            >
              {items.map((model) => (
                <Row key={model.name} model={model} />
              ))}
            </Table>
          )}
        </Listed>
      </Panel>
      <BaseModels mayWrite={mayWrite} />
      {registering && <RegisterVersion onClose={() => setRegistering(false)} />}
    </div>
  );
}
