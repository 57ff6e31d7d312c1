/** The form of an environment: what is typed into it, and the request that it stands for. Pure. */
import type {
  AgentSettings,
  Environment,
  EnvironmentSpec,
  McpServer,
  MinimumIsolation,
  NetworkMode,
  NewEnvironment,
  ToolPermission,
} from "@/api/fleet-types";
import { describeHeaderLines, parseHeaderLines } from "./header-lines";

export interface RepositoryDraft {
  key: number;
  url: string;
  ref: string;
  path: string;
}

export interface VariableDraft {
  key: number;
  name: string;
  value: string;
}

export interface ServerDraft {
  key: number;
  name: string;
  /** Whether the server is a program in the sandbox, or is reached by a URL. */
  kind: "command" | "url";
  command: string;
  /** One argument per line. */
  arguments: string;
  variables: readonly VariableDraft[];
  url: string;
  /** Lines of the form `Name: value`. */
  headers: string;
}

export interface EnvironmentDraft {
  name: string;
  isDefault: boolean;
  repositories: readonly RepositoryDraft[];
  script: string;
  timeout: string;
  variables: readonly VariableDraft[];
  secrets: readonly string[];
  setupNetwork: NetworkMode;
  agentNetwork: NetworkMode;
  /** One domain per line. */
  domains: string;
  servers: readonly ServerDraft[];
  rules: string;
  cpu: string;
  memory: string;
  isolation: MinimumIsolation;
  program: string;
  model: string;
  mode: string;
  permissions: Readonly<Record<string, ToolPermission>>;
}

/** How many seconds a set-up script may take unless the form says otherwise. */
export const DEFAULT_TIMEOUT = 300;

export const BLANK_ENVIRONMENT: EnvironmentDraft = {
  name: "",
  isDefault: false,
  repositories: [],
  script: "",
  timeout: "",
  variables: [],
  secrets: [],
  setupNetwork: "open",
  agentNetwork: "none",
  domains: "",
  servers: [],
  rules: "",
  cpu: "",
  memory: "",
  isolation: "none",
  program: "",
  model: "",
  mode: "",
  permissions: {},
};

function lines(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);
}

function draftVariables(variables: Readonly<Record<string, string>> = {}): VariableDraft[] {
  return Object.entries(variables).map(([name, value], index) => ({ key: index + 1, name, value }));
}

function readVariables(variables: readonly VariableDraft[]): Record<string, string> {
  return Object.fromEntries(variables.map(({ name, value }) => [name.trim(), value]));
}

function draftServer(server: McpServer, index: number): ServerDraft {
  return {
    key: index + 1,
    name: server.name,
    kind: server.url == null ? "command" : "url",
    command: server.command ?? "",
    arguments: (server.arguments ?? []).join("\n"),
    variables: draftVariables(server.variables),
    url: server.url ?? "",
    headers: describeHeaderLines(server.headers ?? {}),
  };
}

/** The form filled with a specification. */
export function draftOf(name: string, isDefault: boolean, spec: EnvironmentSpec): EnvironmentDraft {
  const { setup, network, agent } = spec;
  return {
    name,
    isDefault,
    repositories: (spec.repositories ?? []).map(({ url, ref, path }, index) => ({
      key: index + 1,
      url,
      ref: ref ?? "",
      path: path ?? "",
    })),
    script: setup?.script ?? "",
    timeout: setup ? String(setup.timeout_seconds) : "",
    variables: draftVariables(spec.variables),
    secrets: spec.secrets ?? [],
    setupNetwork: network?.setup ?? "open",
    agentNetwork: network?.agent ?? "none",
    domains: (network?.domains ?? []).join("\n"),
    servers: (spec.mcp_servers ?? []).map(draftServer),
    rules: spec.rules ?? "",
    cpu: spec.cpu == null ? "" : String(spec.cpu),
    memory: spec.memory_mb == null ? "" : String(spec.memory_mb),
    isolation: spec.minimum_isolation ?? "none",
    program: agent?.program ?? "",
    model: agent?.model ?? "",
    mode: agent?.mode ?? "",
    permissions: (agent?.permissions ?? {}) as Record<string, ToolPermission>,
  };
}

export function draftOfEnvironment(environment: Environment): EnvironmentDraft {
  return draftOf(environment.name, environment.is_default, environment);
}

function readServer(draft: ServerDraft): McpServer {
  const name = draft.name.trim();
  if (draft.kind === "url") {
    return { name, url: draft.url.trim(), headers: parseHeaderLines(draft.headers).values };
  }
  return {
    name,
    command: draft.command.trim(),
    arguments: lines(draft.arguments),
    variables: readVariables(draft.variables),
  };
}

function readAgent({ program, model, mode, permissions }: EnvironmentDraft): AgentSettings | null {
  const texts = { program: program.trim(), model: model.trim(), mode: mode.trim() };
  const given = Object.fromEntries(Object.entries(texts).filter(([, text]) => text !== ""));
  if (Object.keys(given).length === 0 && Object.keys(permissions).length === 0) return null;
  return { ...given, permissions: { ...permissions } };
}

/** The request that a filled-in form stands for. */
export function readEnvironmentDraft(draft: EnvironmentDraft): NewEnvironment {
  return {
    name: draft.name.trim(),
    is_default: draft.isDefault,
    repositories: draft.repositories.map(({ url, ref, path }) => ({
      url: url.trim(),
      ref: ref.trim() || undefined,
      path: path.trim() || undefined,
    })),
    setup:
      draft.script.trim() === ""
        ? null
        : { script: draft.script, timeout_seconds: draft.timeout ? Number(draft.timeout) : DEFAULT_TIMEOUT },
    variables: readVariables(draft.variables),
    secrets: [...draft.secrets],
    network: { setup: draft.setupNetwork, agent: draft.agentNetwork, domains: lines(draft.domains) },
    mcp_servers: draft.servers.map(readServer),
    rules: draft.rules,
    cpu: draft.cpu ? Number(draft.cpu) : null,
    memory_mb: draft.memory ? Number(draft.memory) : null,
    minimum_isolation: draft.isolation,
    agent: readAgent(draft),
  };
}

/** The fields that differ between two requests. Lists and objects are replaced as a whole. */
export function changedFields(before: NewEnvironment, after: NewEnvironment): Partial<NewEnvironment> {
  const differs = (name: keyof NewEnvironment) => JSON.stringify(before[name]) !== JSON.stringify(after[name]);
  const names = (Object.keys(after) as (keyof NewEnvironment)[]).filter(differs);
  return Object.fromEntries(names.map((name) => [name, after[name]]));
}

/** Errors for names that a list of variables has twice: as an object, it could hold only one of them. */
function repeatedNames(field: string, variables: readonly VariableDraft[]): [string, string][] {
  const names = variables.map(({ name }) => name.trim());
  return names
    .filter((name, index) => name !== "" && names.indexOf(name) !== index)
    .map((name) => [`${field}.${name}`, "There are two variables with this name."]);
}

/** The errors that the request could not express, by the name of the field. */
export function draftErrors({ variables, servers }: EnvironmentDraft): Readonly<Record<string, string>> {
  const ofServers = servers.flatMap((server, index): [string, string][] => {
    const field = `mcp_servers[${index}]`;
    if (server.kind === "command") return repeatedNames(`${field}.variables`, server.variables);
    const { error } = parseHeaderLines(server.headers);
    return error ? [[`${field}.headers`, error]] : [];
  });
  return Object.fromEntries([...repeatedNames("variables", variables), ...ofServers]);
}
