import type { NetworkMode } from "@/api/fleet-types";
import type { FieldErrors } from "@/api/problem";
import { SectionPanel } from "@/components/page-layout";
import { SelectField } from "@/components/select-field";
import { TextAreaField } from "@/components/text-field";
import type { EnvironmentFormPart } from "./form-parts";
import { NETWORK_TITLES } from "./titles";

interface NetworkSelectProps {
  label: string;
  value: NetworkMode;
  error?: string;
  onChange(mode: NetworkMode): void;
}

function NetworkSelect({ label, value, error, onChange }: NetworkSelectProps) {
  return (
    <SelectField
      label={label}
      error={error}
      value={value}
      onChange={(event) => onChange(event.target.value as NetworkMode)}
    >
      {Object.entries(NETWORK_TITLES).map(([mode, title]) => (
        <option key={mode} value={mode}>
          {title}
        </option>
      ))}
    </SelectField>
  );
}

/** What sessions reach over the network. `domainErrorOf` also finds the message for one of the domains. */
export function NetworkFields({
  draft,
  onChange,
  errorOf,
  domainErrorOf,
}: EnvironmentFormPart & { domainErrorOf: FieldErrors }) {
  const listed = draft.setupNetwork === "allowlist" || draft.agentNetwork === "allowlist";
  return (
    <SectionPanel title="Network">
      <div className="grid gap-4 p-4 sm:grid-cols-2">
        <NetworkSelect
          label="The set-up script reaches"
          value={draft.setupNetwork}
          error={errorOf("network.setup")}
          onChange={(setupNetwork) => onChange({ setupNetwork })}
        />
        <NetworkSelect
          label="The agent reaches"
          value={draft.agentNetwork}
          error={errorOf("network.agent")}
          onChange={(agentNetwork) => onChange({ agentNetwork })}
        />
        {(listed || draft.domains) && (
          <TextAreaField
            label="Listed domains"
            className="sm:col-span-2"
            hint="One per line, such as example.com, or *.example.com for all below it. Private addresses are always refused."
            error={domainErrorOf("network.domains")}
            mono
            rows={4}
            required={listed}
            value={draft.domains}
            onChange={(event) => onChange({ domains: event.target.value })}
          />
        )}
      </div>
    </SectionPanel>
  );
}
