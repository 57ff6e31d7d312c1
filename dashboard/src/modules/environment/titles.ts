import type { MinimumIsolation, NetworkMode } from "@/api/fleet-types";

export const NETWORK_TITLES: Readonly<Record<NetworkMode, string>> = {
  none: "Nothing but the model",
  allowlist: "The listed domains",
  open: "The public internet",
};

export const ISOLATION_TITLES: Readonly<Record<MinimumIsolation, string>> = {
  none: "Any runner",
  process: "At least a user or folder of their own",
  sandbox: "Only a sandbox",
};

/** The fields of a request, as people call them. */
const FIELD_TITLES: Readonly<Record<string, string>> = {
  name: "name",
  is_default: "default",
  repositories: "repositories",
  setup: "set-up script",
  variables: "variables",
  secrets: "secrets",
  network: "network",
  mcp_servers: "MCP servers",
  rules: "rules",
  cpu: "CPUs",
  memory_mb: "memory",
  minimum_isolation: "isolation",
  agent: "agent",
};

export function fieldTitle(field: string): string {
  return FIELD_TITLES[field] ?? field;
}
