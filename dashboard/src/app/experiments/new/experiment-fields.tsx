import type { FieldErrors } from "@/api/problem";
import { type Model, sessionTypeValues } from "@/api/schema";
import { SectionPanel } from "@/components/page-layout";
import { SelectField } from "@/components/select-field";
import { TextField } from "@/components/text-field";
import { ModelSuggestions } from "@/modules/model/model-suggestions";

/** The name of an experiment, and the sessions that take part in it. */
export function ExperimentFields({ models, errorOf }: { models: readonly Model[]; errorOf: FieldErrors }) {
  return (
    <SectionPanel title="Experiment and its sessions">
      <div className="grid gap-4 p-4 sm:grid-cols-2">
        <TextField
          label="Name"
          hint="Sessions can use experiment/<name> as their model."
          error={errorOf("name")}
          mono
          name="name"
          required
          maxLength={100}
          pattern="[A-Za-z0-9][A-Za-z0-9_.\-]*"
          title="Letters, digits, . - and _"
        />
        <TextField label="Description" error={errorOf("description")} name="description" maxLength={1000} />
        <TextField
          label="Target"
          hint="registry/name@alias: sessions that refer to it take part while the experiment runs."
          error={errorOf("target")}
          mono
          name="target"
          maxLength={200}
          list="targets"
        />
        <ModelSuggestions id="targets" models={models} aliasesOnly />
        <SelectField
          label="Sessions of the target"
          error={errorOf("session_type")}
          name="session_type"
          options={sessionTypeValues}
        >
          <option value="">all types</option>
        </SelectField>
        <p className="text-xs text-muted sm:col-span-2">
          Arms are compared by their success rate. In each tree of sessions, only the first session that ended counts.
          Cost, duration and tokens are shown too, and guardrails can limit them.
        </p>
      </div>
    </SectionPanel>
  );
}
