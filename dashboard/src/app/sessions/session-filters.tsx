"use client";

import { X } from "lucide-react";
import { priorityWordValues, sessionTypeValues, statusValues } from "@/api/schema";
import { ActionButton } from "@/components/action-button";
import { FilterMenu } from "@/components/filter-menu";
import { formatWords } from "@/components/format";
import { SearchField } from "@/components/search-field";
import { SelectInput } from "@/components/select-input";
import { StatusShape } from "@/modules/status/status-badge";

const SINCE: readonly [string, number][] = [
  ["1 hour", 1],
  ["24 hours", 24],
  ["7 days", 168],
  ["30 days", 720],
];

function hoursAgo(hours: number): string {
  const at = Date.now() - hours * 3_600_000;
  // Rounded to the minute, so that choosing the same period again uses the cached query.
  return new Date(Math.floor(at / 60_000) * 60_000).toISOString();
}

interface SessionFiltersProps {
  /** The query of the address, which holds the filters. */
  query: URLSearchParams;
  onChange(changes: Readonly<Record<string, string | undefined>>): void;
}

export function SessionFilters({ query, onChange }: SessionFiltersProps) {
  const list = (name: string) => query.get(name)?.split(",").filter(Boolean) ?? [];
  const since = query.get("created_after");
  const others = ["agent_id", "parent_id", "tag"].filter((name) => query.get(name));

  return (
    <div className="flex flex-wrap items-center gap-2 pb-3">
      <SearchField
        label="Find by title, prompt or id"
        placeholder="Title, prompt or id"
        value={query.get("q") ?? ""}
        onSettled={(q) => onChange({ q })}
      />
      <FilterMenu
        label="State"
        values={statusValues}
        chosen={list("status")}
        onChange={(chosen) => onChange({ status: chosen.join(",") })}
        show={(status) => (
          <span className="flex items-center gap-1.5">
            <StatusShape status={status} /> {formatWords(status)}
          </span>
        )}
      />
      <FilterMenu
        label="Type"
        values={sessionTypeValues}
        chosen={list("session_type")}
        onChange={(chosen) => onChange({ session_type: chosen.join(",") })}
      />
      <FilterMenu
        label="Priority"
        values={priorityWordValues}
        chosen={list("priority")}
        onChange={(chosen) => onChange({ priority: chosen.join(",") })}
      />
      <SelectInput
        aria-label="Created"
        className="w-auto!"
        value={since ? "set" : ""}
        onChange={(event) =>
          onChange({ created_after: event.target.value ? hoursAgo(Number(event.target.value)) : undefined })
        }
      >
        <option value="">Any time</option>
        {since && <option value="set">Since {new Date(since).toLocaleString()}</option>}
        {SINCE.map(([label, hours]) => (
          <option key={hours} value={hours}>
            Last {label}
          </option>
        ))}
      </SelectInput>
      {others.map((name) => (
        <ActionButton key={name} small onClick={() => onChange({ [name]: undefined })} title="Remove this filter">
          {formatWords(name.replace("_id", ""))}: <span className="figure max-w-32 truncate">{query.get(name)}</span>
          <X aria-hidden className="size-3" />
        </ActionButton>
      ))}
    </div>
  );
}
