import type { FieldErrors } from "@/api/problem";
import { datasetFormatValues, sessionTypeValues } from "@/api/schema";
import { SectionPanel } from "@/components/page-layout";
import { SelectField } from "@/components/select-field";
import { TextAreaField, TextField } from "@/components/text-field";

const SAMPLES = { mono: true, type: "number", min: 1, max: 100_000 } as const;

/** The recipe of a dataset: which sessions become samples, and in which format. */
export function RecipeFields({ errorOf }: { errorOf: FieldErrors }) {
  const error = (name: string) => errorOf(`dataset.${name}`) ?? errorOf(name);
  return (
    <SectionPanel title="Dataset: which sessions">
      <div className="grid gap-4 p-4 sm:grid-cols-2 md:grid-cols-3">
        <TextField
          label="Minimum success rate"
          error={error("min_success_rate")}
          mono
          name="min_success_rate"
          type="number"
          min={0}
          max={1}
          step="any"
          placeholder="0.9"
        />
        <SelectField label="Session type" error={error("session_type")} name="session_type" options={sessionTypeValues}>
          <option value="">Any</option>
        </SelectField>
        <TextField label="Tags" hint="Any of these, separated by commas." error={error("tags")} mono name="tags" />
        <TextField label="Ended since" error={error("since")} mono name="since" type="datetime-local" />
        <TextField label="Ended before" error={error("until")} mono name="until" type="datetime-local" />
        <TextField label="Session model" error={error("model")} mono name="model" placeholder="provider/model" />
        <TextField label="Maximum samples" error={error("limit")} name="limit" placeholder="100000" {...SAMPLES} />
        <TextField
          label="Minimum samples"
          hint="The job fails with fewer."
          error={error("min_samples")}
          name="min_samples"
          placeholder="1"
          {...SAMPLES}
        />
        <SelectField label="Sample format" error={error("format")} name="format" options={datasetFormatValues} />
        <TextAreaField
          label="System prompt"
          className="sm:col-span-2 md:col-span-3"
          hint="The first message of each sample; only in the format messages."
          error={error("system_prompt")}
          name="system_prompt"
          maxLength={10_000}
          rows={2}
        />
      </div>
    </SectionPanel>
  );
}
