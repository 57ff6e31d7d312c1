import type { ToolPermission } from "@/api/fleet-types";
import { SectionPanel } from "@/components/page-layout";
import { SelectInput } from "@/components/select-input";
import { TextAreaField, TextField } from "@/components/text-field";
import type { EnvironmentFormPart } from "./form-parts";
import { PERMISSION_TITLES, TOOL_KINDS } from "./tool-kinds";

/** The program that works, its instructions, and what its tools may do. */
export function AgentSettingsFields({ draft, onChange, errorOf }: EnvironmentFormPart) {
  return (
    <SectionPanel title="Agent">
      <div className="grid gap-4 p-4 sm:grid-cols-3">
        <TextField
          label="Program"
          hint="Empty leaves the choice to ioc."
          error={errorOf("agent.program")}
          mono
          maxLength={50}
          pattern="[a-z][a-z0-9_\-]*"
          title="Lower-case letters, digits, _ and -, starting with a letter"
          placeholder="claude-code"
          value={draft.program}
          onChange={(event) => onChange({ program: event.target.value })}
        />
        <TextField
          label="Model"
          hint="provider/model."
          error={errorOf("agent.model")}
          mono
          maxLength={200}
          value={draft.model}
          onChange={(event) => onChange({ model: event.target.value })}
        />
        <TextField
          label="Mode"
          hint="A mode of the program."
          error={errorOf("agent.mode")}
          mono
          maxLength={100}
          value={draft.mode}
          onChange={(event) => onChange({ mode: event.target.value })}
        />
        <PermissionFields draft={draft} onChange={onChange} errorOf={errorOf} />
        <TextAreaField
          label="Rules"
          className="sm:col-span-3"
          hint="This text is added to the agent's instructions."
          error={errorOf("rules")}
          rows={5}
          maxLength={20000}
          value={draft.rules}
          onChange={(event) => onChange({ rules: event.target.value })}
        />
      </div>
    </SectionPanel>
  );
}

function PermissionFields({ draft: { permissions }, onChange, errorOf }: EnvironmentFormPart) {
  const set = (kind: string, permission: string) => {
    const { [kind]: _before, ...others } = permissions;
    onChange({ permissions: permission ? { ...others, [kind]: permission as ToolPermission } : others });
  };
  return (
    <fieldset className="sm:col-span-3">
      <legend className="text-[0.8125rem] font-medium">Permissions</legend>
      <p className="mt-1 text-xs text-muted">
        What asks a person pauses the session until somebody approves it. The runner decides about everything that is
        not set.
      </p>
      <div className="mt-2 grid gap-x-6 gap-y-2 text-[0.8125rem] sm:grid-cols-2">
        {TOOL_KINDS.map(({ kind, title }) => (
          <div key={kind} className="flex items-center justify-between gap-3">
            <label htmlFor={`permission-${kind}`}>{title}</label>
            <SelectInput
              id={`permission-${kind}`}
              className="w-40!"
              value={permissions[kind] ?? ""}
              onChange={(event) => set(kind, event.target.value)}
            >
              <option value="">not set</option>
              {Object.entries(PERMISSION_TITLES).map(([permission, title]) => (
                <option key={permission} value={permission}>
                  {title}
                </option>
              ))}
            </SelectInput>
          </div>
        ))}
      </div>
      {errorOf("agent.permissions") && <p className="mt-1 text-xs text-danger">{errorOf("agent.permissions")}</p>}
    </fieldset>
  );
}
