"use client";

import { X } from "lucide-react";
import { priorityWordValues, sessionTypeValues, statusValues } from "@/api/schema";
import { Button } from "@/components/button";
import { words } from "@/components/format";
import { Pick } from "@/components/menu";
import { SearchField } from "@/components/search-field";
import { Select } from "@/components/select";
import { useQueryState } from "@/hooks/use-query-state";
import { StatusShape } from "@/modules/status/badge";

const SINCE: readonly [string, number][] = [
  ["1 hour", 1],
  ["24 hours", 24],
  ["7 days", 168],
  ["30 days", 720],
];

function ago(hours: number): string {
  const at = Date.now() - hours * 3_600_000;
  // To the minute, so that the same choice is the same question for a while.
  return new Date(Math.floor(at / 60_000) * 60_000).toISOString();
}

export function Filters() {
  const [search, set] = useQueryState();
  const list = (name: string) => search.get(name)?.split(",").filter(Boolean) ?? [];
  const since = search.get("created_after");
  const others = ["agent_id", "parent_id", "tag"].filter((name) => search.get(name));

  return (
    <div className="flex flex-wrap items-center gap-2 pb-3">
      <SearchField
        label="Find by title, prompt or id"
        placeholder="Title, prompt or id"
        value={search.get("q") ?? ""}
        onRest={(q) => set({ q })}
      />
      <Pick
        label="State"
        values={statusValues}
        chosen={list("status")}
        onChange={(chosen) => set({ status: chosen.join(",") })}
        show={(status) => (
          <span className="flex items-center gap-1.5">
            <StatusShape status={status} /> {words(status)}
          </span>
        )}
      />
      <Pick
        label="Type"
        values={sessionTypeValues}
        chosen={list("session_type")}
        onChange={(chosen) => set({ session_type: chosen.join(",") })}
      />
      <Pick
        label="Priority"
        values={priorityWordValues}
        chosen={list("priority")}
        onChange={(chosen) => set({ priority: chosen.join(",") })}
      />
      <Select
        aria-label="Created"
        className="w-auto!"
        value={since ? "set" : ""}
        onChange={(event) => set({ created_after: event.target.value ? ago(Number(event.target.value)) : undefined })}
      >
        <option value="">Any time</option>
        {since && <option value="set">Since {new Date(since).toLocaleString()}</option>}
        {SINCE.map(([label, hours]) => (
          <option key={hours} value={hours}>
            Last {label}
          </option>
        ))}
      </Select>
      {others.map((name) => (
        <Button key={name} small onClick={() => set({ [name]: undefined })} title="Let this filter go">
          {words(name.replace("_id", ""))}: <span className="figure max-w-32 truncate">{search.get(name)}</span>
          <X aria-hidden className="size-3" />
        </Button>
      ))}
    </div>
  );
}
