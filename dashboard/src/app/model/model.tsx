"use client";

import { CirclePlay } from "lucide-react";
import { useModel } from "@/api/queries/models";
import { useMay } from "@/api/queries/tenancy";
import type { Model } from "@/api/schema";
import { ButtonLink } from "@/components/button-link";
import { Copy } from "@/components/copy";
import { PageHead } from "@/components/page";
import { Empty, Failure, Loading } from "@/components/states";
import { useQueryState } from "@/hooks/use-query-state";
import { registryName, sessionOn } from "@/modules/model/names";
import { Aliases } from "./aliases";
import { Compare } from "./compare";
import { Version } from "./version";
import { Versions } from "./versions";

export function ModelPage() {
  const [search] = useQueryState();
  const name = search.get("name");
  if (!name) return <Empty title="No model is named.">Choose one from the registry.</Empty>;
  return <Shown key={name} name={name} />;
}

function Shown({ name }: { name: string }) {
  const model = useModel(name);
  if (model.isPending) return <Loading rows={10} />;
  if (!model.data) return <Failure error={model.error} retry={() => void model.refetch()} />;
  return <Whole model={model.data} />;
}

function Whole({ model }: { model: Model }) {
  const [search, set] = useQueryState();
  const mayRun = useMay("sessions:write");
  const version = search.get("version") ?? model.newest_version;
  const [a, b] = [search.get("a"), search.get("b")];
  const usual = model.aliases.find(({ alias }) => alias === "champion") ?? model.aliases[0];
  const named = registryName(model.name, usual?.alias ?? model.newest_version);
  return (
    <div className="mx-auto max-w-[120rem]">
      <PageHead
        title={model.name}
        aside={
          <span className="inline-flex items-center gap-1">
            <span className="figure text-xs break-all">{named}</span>
            <Copy text={named} label="Copy what sessions name it by" />
          </span>
        }
      >
        {mayRun && (
          <ButtonLink primary href={sessionOn(named)}>
            <CirclePlay aria-hidden className="size-4" /> Run a session
          </ButtonLink>
        )}
      </PageHead>
      <div className="grid items-start gap-3 xl:grid-cols-[minmax(0,1fr)_24rem]">
        <div className="flex min-w-0 flex-col gap-3">
          {a && b && <Compare name={model.name} a={a} b={b} onClose={() => set({ a: undefined, b: undefined })} />}
          <Versions name={model.name} shown={version} onCompare={(a, b) => set({ a, b })} />
          <Version key={version} model={model} name={version} />
        </div>
        <Aliases model={model} />
      </div>
    </div>
  );
}
