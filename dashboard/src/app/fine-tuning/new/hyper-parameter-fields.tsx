import type { FieldErrors } from "@/api/problem";
import { methodValues } from "@/api/schema";
import { SectionPanel } from "@/components/page-layout";
import { SelectField } from "@/components/select-field";
import { TextAreaField, TextField } from "@/components/text-field";
import { DEFAULT_PARAMETERS } from "@/modules/fine-tuning/job-form";

const WHOLE_NUMBERS = [
  ["epochs", "Epochs", 1, 100],
  ["batch_size", "Batch size", 1, 1024],
  ["lora_rank", "LoRA rank", 1, 512],
  ["lora_alpha", "LoRA alpha", 1, 1024],
] as const;

const EXTRA_HINT = (
  <>
    Parameters of this provider alone. The simulated trainer takes <code>duration_seconds</code>, <code>steps</code>,{" "}
    <code>serves_as</code> and <code>fail</code>.
  </>
);

export function HyperParameterFields({ errorOf }: { errorOf: FieldErrors }) {
  const error = (name: string) => errorOf(`parameters.${name}`) ?? errorOf(name);
  return (
    <SectionPanel title="Hyper-parameters">
      <div className="grid grid-cols-2 gap-4 p-4 md:grid-cols-4">
        {WHOLE_NUMBERS.map(([name, label, min, max]) => (
          <TextField
            key={name}
            label={label}
            error={error(name)}
            mono
            name={name}
            type="number"
            min={min}
            max={max}
            placeholder={String(DEFAULT_PARAMETERS[name])}
          />
        ))}
        <TextField
          label="Learning rate"
          error={error("learning_rate")}
          mono
          name="learning_rate"
          type="number"
          min={0}
          max={1}
          step="any"
          placeholder={String(DEFAULT_PARAMETERS.learning_rate)}
        />
        <TextField
          label="Seed"
          error={error("seed")}
          mono
          name="seed"
          type="number"
          placeholder="the trainer's default"
        />
        <SelectField label="Method" error={error("method")} name="method" options={methodValues} />
        <TextField
          label="Target modules"
          error={error("target_modules")}
          mono
          name="target_modules"
          placeholder={DEFAULT_PARAMETERS.target_modules.join(", ")}
        />
        <TextAreaField
          label="Extra, as JSON"
          className="col-span-2 md:col-span-4"
          hint={EXTRA_HINT}
          error={error("extra")}
          mono
          name="extra"
          rows={2}
          spellCheck={false}
        />
      </div>
    </SectionPanel>
  );
}
