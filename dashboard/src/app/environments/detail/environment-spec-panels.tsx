import type { ReactNode } from "react";
import type { EnvironmentSpec, McpServer, ToolPermission } from "@/api/fleet-types";
import { formatDuration } from "@/components/format";
import { FactList, LabelChip, SectionPanel } from "@/components/page-layout";
import { ISOLATION_TITLES, NETWORK_TITLES } from "@/modules/environment/titles";
import { PERMISSION_TITLES, TOOL_KINDS } from "@/modules/environment/tool-kinds";

function MonoText({ children }: { children: ReactNode }) {
  return <span className="figure text-xs break-all">{children}</span>;
}

function BlankNote({ children }: { children: ReactNode }) {
  return <p className="p-3 text-[0.8125rem] text-muted">{children}</p>;
}

/** A text of several lines as it is, which scrolls if it is long. */
function TextBlock({ label, children }: { label: string; children: string }) {
  return (
    <pre
      tabIndex={0}
      role="region"
      aria-label={label}
      className="figure max-h-80 overflow-auto p-3 text-xs break-words whitespace-pre-wrap"
    >
      {children}
    </pre>
  );
}

function RepositoryPanel({ repositories = [] }: EnvironmentSpec) {
  return (
    <SectionPanel title="Repositories">
      {repositories.length === 0 ? (
        <BlankNote>None: sessions name their own, or begin in an empty workspace.</BlankNote>
      ) : (
        <ul className="p-3 text-[0.8125rem]">
          {repositories.map(({ url, ref, path }) => (
            <li key={`${path ?? ""} ${url}`} className="flex flex-wrap items-baseline gap-2 py-0.5">
              <MonoText>{url}</MonoText>
              {ref && <LabelChip>{ref}</LabelChip>}
              <span className="ml-auto text-xs text-muted">{path ? `in ${path}` : "the work tree"}</span>
            </li>
          ))}
        </ul>
      )}
    </SectionPanel>
  );
}

function SetupPanel({ setup }: EnvironmentSpec) {
  return (
    <SectionPanel
      title="Set-up"
      actions={setup && <LabelChip>at most {formatDuration(setup.timeout_seconds ?? 0)}</LabelChip>}
    >
      {setup ? <TextBlock label="Set-up script">{setup.script}</TextBlock> : <BlankNote>No script.</BlankNote>}
    </SectionPanel>
  );
}

function VariablePanel({ variables = {}, secrets = [] }: EnvironmentSpec) {
  const all = Object.entries(variables);
  return (
    <SectionPanel title="Variables and secrets">
      {all.length + secrets.length === 0 && <BlankNote>None.</BlankNote>}
      {all.length > 0 && (
        <FactList items={all.map(([name, value]) => [name, <MonoText key={name}>{value}</MonoText>])} />
      )}
      {secrets.length > 0 && (
        <ul aria-label="Secrets" className="flex flex-wrap gap-1 border-t border-line p-3 first:border-0">
          {secrets.map((name) => (
            <li key={name}>
              <LabelChip>{name}</LabelChip>
            </li>
          ))}
        </ul>
      )}
    </SectionPanel>
  );
}

function NetworkPanel({ network }: EnvironmentSpec) {
  const domains = network?.domains ?? [];
  return (
    <SectionPanel title="Network">
      <FactList
        items={[
          ["The set-up script reaches", NETWORK_TITLES[network?.setup ?? "open"]],
          ["The agent reaches", NETWORK_TITLES[network?.agent ?? "none"]],
          ...(domains.length > 0
            ? [
                ["Listed domains", <MonoText key="domains">{domains.join(", ")}</MonoText>] satisfies [
                  string,
                  ReactNode,
                ],
              ]
            : []),
        ]}
      />
    </SectionPanel>
  );
}

function AgentPanel({ agent, rules }: EnvironmentSpec) {
  const known = (agent?.permissions ?? {}) as Partial<Record<string, ToolPermission>>;
  const permissions = TOOL_KINDS.flatMap(({ kind, title }): [string, ReactNode][] => {
    const permission = known[kind];
    return permission ? [[title, PERMISSION_TITLES[permission]]] : [];
  });
  return (
    <SectionPanel title="Agent">
      <FactList
        items={[
          ["Program", agent?.program ?? "any"],
          ["Model", agent?.model ?? "the agent's own"],
          ...(agent?.mode ? [["Mode", agent.mode] satisfies [string, ReactNode]] : []),
          ...permissions,
        ]}
      />
      {rules && (
        <div className="border-t border-line">
          <TextBlock label="Rules">{rules}</TextBlock>
        </div>
      )}
    </SectionPanel>
  );
}

function describeServer({ command, arguments: words = [], url }: McpServer): string {
  return url ?? [command, ...words].join(" ");
}

function ServerPanel({ mcp_servers: servers = [] }: EnvironmentSpec) {
  if (servers.length === 0) return null;
  return (
    <SectionPanel title="MCP servers">
      <FactList
        items={servers.map((server) => [server.name, <MonoText key={server.name}>{describeServer(server)}</MonoText>])}
      />
    </SectionPanel>
  );
}

function LimitPanel({ cpu, memory_mb, minimum_isolation = "none" }: EnvironmentSpec) {
  return (
    <SectionPanel title="Limits and isolation">
      <FactList
        items={[
          ["CPUs", cpu ?? "the runner's default"],
          ["Memory", memory_mb == null ? "the runner's default" : `${memory_mb} MiB`],
          ["Runs in", ISOLATION_TITLES[minimum_isolation]],
        ]}
      />
    </SectionPanel>
  );
}

/** Everything that a version of an environment says. */
export function EnvironmentSpecPanels({ spec }: { spec: EnvironmentSpec }) {
  return (
    <>
      <RepositoryPanel {...spec} />
      <SetupPanel {...spec} />
      <VariablePanel {...spec} />
      <NetworkPanel {...spec} />
      <AgentPanel {...spec} />
      <ServerPanel {...spec} />
      <LimitPanel {...spec} />
    </>
  );
}
