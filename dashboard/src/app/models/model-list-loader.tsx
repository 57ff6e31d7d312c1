"use client";

import { useState } from "react";
import type { BaseModel } from "@/api/schema";
import { useQueryState } from "@/hooks/use-query-state";
import { useBaseModels, useModels } from "@/queries/models";
import { useHasPermission } from "@/queries/tenancy";
import { BaseModelDialog } from "./base-model-dialog";
import { ModelListView } from "./model-list-view";
import { RegisterVersionDialog } from "./register-version-dialog";

export function ModelListLoader() {
  const [query, setQuery] = useQueryState();
  const search = query.get("q") ?? "";
  const models = useModels(search);
  const baseModels = useBaseModels();
  const mayWrite = useHasPermission("models:write");
  const [registering, setRegistering] = useState(false);
  const [editing, setEditing] = useState<BaseModel | null>(null);
  return (
    <>
      <ModelListView
        models={models}
        search={search}
        onSearch={(q) => setQuery({ q })}
        onRegister={mayWrite ? () => setRegistering(true) : undefined}
        baseModels={baseModels}
        onEditBaseModel={mayWrite ? setEditing : undefined}
      />
      {registering && <RegisterVersionDialog onClose={() => setRegistering(false)} />}
      {editing && <BaseModelDialog base={editing} onClose={() => setEditing(null)} />}
    </>
  );
}
