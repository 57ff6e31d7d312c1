import type { FieldErrors } from "@/api/problem";
import type { BaseModel, Model, TrainingProvider } from "@/api/schema";
import { SectionPanel } from "@/components/page-layout";
import { SelectField } from "@/components/select-field";
import { TextField } from "@/components/text-field";

export interface TrainingTargets {
  models: readonly Model[];
  baseModels: readonly BaseModel[];
  /** Absent until they are known. */
  providers?: readonly TrainingProvider[];
}

interface TargetFieldsProps extends TrainingTargets {
  errorOf: FieldErrors;
}

/** The model that a job trains, its base model, and the provider. */
export function TargetFields({ models, baseModels, providers, errorOf }: TargetFieldsProps) {
  return (
    <SectionPanel title="Model to train">
      <div className="grid gap-4 p-4 sm:grid-cols-2">
        <TextField
          label="Model"
          hint="A model in the registry, which gets a new version. A new name creates a model."
          error={errorOf("target_model_name")}
          mono
          name="target_model_name"
          required
          maxLength={100}
          pattern="[A-Za-z0-9][A-Za-z0-9_.\-]*"
          title="Letters, digits, . - and _"
          list="models"
        />
        <datalist id="models">
          {models.map((model) => (
            <option key={model.name} value={model.name} />
          ))}
        </datalist>
        <TextField
          label="Base model"
          hint="The model to train further, by its provider's name."
          error={errorOf("base_model")}
          mono
          name="base_model"
          required
          maxLength={200}
          list="base-models"
        />
        <datalist id="base-models">
          {baseModels.map((base) => (
            <option key={base.base_model} value={base.base_model} />
          ))}
        </datalist>
        <SelectField
          // The first provider that is offered becomes the choice once the providers are known.
          key={providers ? "known" : "unknown"}
          label="Provider"
          hint="The service that trains the model."
          error={errorOf("provider")}
          name="provider"
        >
          {providers?.map((one) => (
            <option key={one.provider} value={one.provider} disabled={!one.offered}>
              {one.provider}
              {one.offered ? "" : " (not available here)"}
            </option>
          ))}
        </SelectField>
      </div>
    </SectionPanel>
  );
}
