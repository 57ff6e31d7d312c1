import { Plus, Trash2 } from "lucide-react";
import type { FieldErrors } from "@/api/problem";
import { ActionButton, IconButton } from "@/components/action-button";
import { nextKey, removeItem, updateItem } from "@/components/editable-list";
import { SectionPanel } from "@/components/page-layout";
import { SelectField } from "@/components/select-field";
import { TextAreaField, TextField } from "@/components/text-field";
import type { ServerDraft } from "./environment-draft";
import type { EnvironmentFormPart } from "./form-parts";
import { VariableRows } from "./variable-rows";

const MAX_SERVERS = 20;

const BLANK: Omit<ServerDraft, "key"> = {
  name: "",
  kind: "command",
  command: "",
  arguments: "",
  variables: [],
  url: "",
  headers: "",
};

/** The MCP servers, whose tools the agent can use. */
export function ServerEditor({ draft: { servers }, onChange, errorOf }: EnvironmentFormPart) {
  const set = (servers: ServerDraft[]) => onChange({ servers });
  return (
    <SectionPanel
      title="MCP servers"
      actions={
        <ActionButton
          small
          disabled={servers.length >= MAX_SERVERS}
          onClick={() => set([...servers, { key: nextKey(servers), ...BLANK }])}
        >
          <Plus aria-hidden className="size-3.5" /> Add server
        </ActionButton>
      }
    >
      <p className="px-4 py-3 text-xs text-muted">
        The agent can use their tools. Everyone in the tenant can read these settings: use secrets for credentials.
      </p>
      <ul>
        {servers.map((server, index) => (
          <li key={server.key} className="border-t border-line p-4">
            <ServerFields
              server={server}
              index={index}
              errorOf={(name) => errorOf(`mcp_servers[${index}].${name}`)}
              onChange={(patch) => set(updateItem(servers, server.key, patch))}
              onRemove={() => set(removeItem(servers, server.key))}
            />
          </li>
        ))}
      </ul>
      {errorOf("mcp_servers") && <p className="px-4 pb-3 text-xs text-danger">{errorOf("mcp_servers")}</p>}
    </SectionPanel>
  );
}

interface ServerFieldsProps {
  server: ServerDraft;
  index: number;
  errorOf: FieldErrors;
  onChange(patch: Partial<ServerDraft>): void;
  onRemove(): void;
}

function ServerFields({ server, index, errorOf, onChange, onRemove }: ServerFieldsProps) {
  return (
    <fieldset className="flex flex-col gap-3">
      <legend className="sr-only">MCP server {index + 1}</legend>
      <div className="grid grid-cols-[minmax(0,1fr)_auto] items-start gap-3 sm:grid-cols-[minmax(0,1fr)_minmax(0,1fr)_auto]">
        <TextField
          label="Name"
          className="max-sm:col-span-2"
          error={errorOf("name")}
          mono
          required
          maxLength={50}
          pattern="[A-Za-z0-9][A-Za-z0-9_\-]*"
          title="Letters, digits, _ and -, starting with a letter or a digit"
          value={server.name}
          onChange={(event) => onChange({ name: event.target.value })}
        />
        <SelectField
          label="Kind"
          value={server.kind}
          onChange={(event) => onChange({ kind: event.target.value as ServerDraft["kind"] })}
        >
          <option value="command">A program in the sandbox</option>
          <option value="url">A server on the network</option>
        </SelectField>
        <IconButton label={`Remove MCP server ${index + 1}`} className="mt-6" onClick={onRemove}>
          <Trash2 aria-hidden className="size-4" />
        </IconButton>
      </div>
      {server.kind === "command" ? (
        <ProgramFields server={server} index={index} errorOf={errorOf} onChange={onChange} />
      ) : (
        <AddressFields server={server} errorOf={errorOf} onChange={onChange} />
      )}
    </fieldset>
  );
}

function ProgramFields({ server, index, errorOf, onChange }: Omit<ServerFieldsProps, "onRemove">) {
  return (
    <>
      <TextField
        label="Command"
        error={errorOf("command")}
        mono
        required
        maxLength={1024}
        value={server.command}
        onChange={(event) => onChange({ command: event.target.value })}
      />
      <TextAreaField
        label="Arguments"
        hint="One per line."
        error={errorOf("arguments")}
        mono
        rows={2}
        value={server.arguments}
        onChange={(event) => onChange({ arguments: event.target.value })}
      />
      <VariableRows
        field="variables"
        owner={`MCP server ${index + 1}`}
        items={server.variables}
        onChange={(variables) => onChange({ variables })}
        errorOf={errorOf}
      />
    </>
  );
}

function AddressFields({ server, errorOf, onChange }: Omit<ServerFieldsProps, "onRemove" | "index">) {
  return (
    <>
      <TextField
        label="URL"
        error={errorOf("url") ?? errorOf("command")}
        mono
        required
        type="url"
        maxLength={2000}
        placeholder="https://…"
        value={server.url}
        onChange={(event) => onChange({ url: event.target.value })}
      />
      <TextAreaField
        label="Headers"
        hint="One per line, such as X-Team: platform."
        error={errorOf("headers")}
        mono
        rows={2}
        value={server.headers}
        onChange={(event) => onChange({ headers: event.target.value })}
      />
    </>
  );
}
