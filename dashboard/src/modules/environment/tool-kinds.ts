import type { ToolPermission } from "@/api/fleet-types";

/** The kinds of tools that permissions distinguish. `default` stands for all that have none of their own. */
export const TOOL_KINDS: readonly { kind: string; title: string }[] = [
  { kind: "default", title: "All other tools" },
  { kind: "read", title: "Read files" },
  { kind: "edit", title: "Change files" },
  { kind: "delete", title: "Delete files" },
  { kind: "move", title: "Move files" },
  { kind: "search", title: "Search files" },
  { kind: "execute", title: "Run commands" },
  { kind: "think", title: "Think" },
  { kind: "fetch", title: "Use the network" },
  { kind: "other", title: "Other kinds" },
];

/** Each permission and what it means. */
export const PERMISSION_TITLES: Readonly<Record<ToolPermission, string>> = {
  allow: "allowed",
  ask: "asks a person",
  deny: "refused",
};
