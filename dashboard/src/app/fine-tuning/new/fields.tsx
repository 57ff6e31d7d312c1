"use client";

import type { InputHTMLAttributes, ReactNode } from "react";
import { useBaseModels, useModels } from "@/api/queries/models";
import { useTrainingProviders } from "@/api/queries/training";
import { datasetFormatValues, methodValues, sessionTypeValues } from "@/api/schema";
import { Field } from "@/components/field";
import { Panel } from "@/components/page";
import { Select } from "@/components/select";
import { USUAL } from "@/modules/training/draft";

type Wrong = (name: string) => string | undefined;

interface TextProps extends InputHTMLAttributes<HTMLInputElement> {
  name: string;
  label: string;
  hint?: ReactNode;
  error?: string;
}

function Text({ label, hint, error, className, ...rest }: TextProps) {
  return (
    <Field label={label} hint={hint} error={error} className={className}>
      {(props) => <input {...props} {...rest} className="field figure text-xs" />}
    </Field>
  );
}

export function Target({ wrong }: { wrong: Wrong }) {
  const models = useModels();
  const bases = useBaseModels();
  const providers = useTrainingProviders();
  return (
    <Panel title="What is trained">
      <div className="grid gap-4 p-4 sm:grid-cols-2">
        <Text
          label="Model"
          name="target_model_name"
          required
          maxLength={100}
          pattern="[A-Za-z0-9][A-Za-z0-9_.\-]*"
          title="Letters, figures, . - and _"
          list="models"
          hint="Of the registry: it gets a new version, or is made."
          error={wrong("target_model_name")}
        />
        <datalist id="models">
          {models.data?.pages.flatMap((page) =>
            page.items.map((model) => <option key={model.name} value={model.name} />),
          )}
        </datalist>
        <Text
          label="Base model"
          name="base_model"
          required
          maxLength={200}
          list="base-models"
          hint="What is trained further, as its provider calls it."
          error={wrong("base_model")}
        />
        <datalist id="base-models">
          {bases.data?.pages.flatMap((page) =>
            page.items.map((base) => <option key={base.base_model} value={base.base_model} />),
          )}
        </datalist>
        <Field label="Provider" error={wrong("provider")} hint="Who trains.">
          {(props) => (
            <Select {...props} name="provider" key={providers.dataUpdatedAt ? "known" : "unknown"}>
              {providers.data?.items.map((one) => (
                <option key={one.provider} value={one.provider} disabled={!one.offered}>
                  {one.provider}
                  {one.offered ? "" : " (not offered here)"}
                </option>
              ))}
            </Select>
          )}
        </Field>
      </div>
    </Panel>
  );
}

export function Recipe({ wrong }: { wrong: Wrong }) {
  const error = (name: string) => wrong(`dataset.${name}`) ?? wrong(name);
  return (
    <Panel title="Dataset: which sessions">
      <div className="grid gap-4 p-4 sm:grid-cols-2 md:grid-cols-3">
        <Text
          label="Success rate at least"
          name="min_success_rate"
          type="number"
          min={0}
          max={1}
          step="any"
          placeholder="0.9"
          error={error("min_success_rate")}
        />
        <Field label="Type of session" error={error("session_type")}>
          {(props) => (
            <Select {...props} name="session_type">
              <option value="">Any</option>
              {sessionTypeValues.map((type) => (
                <option key={type}>{type}</option>
              ))}
            </Select>
          )}
        </Field>
        <Text label="Tags" name="tags" hint="Any of these, with commas." error={error("tags")} />
        <Text label="Ended since" name="since" type="datetime-local" error={error("since")} />
        <Text label="Ended before" name="until" type="datetime-local" error={error("until")} />
        <Text label="Ran on the model" name="model" placeholder="provider/model" error={error("model")} />
        <Text
          label="Samples at most"
          name="limit"
          type="number"
          min={1}
          max={100_000}
          placeholder="100000"
          error={error("limit")}
        />
        <Text
          label="Samples at least"
          name="min_samples"
          type="number"
          min={1}
          max={100_000}
          placeholder="1"
          hint="With fewer the job fails."
          error={error("min_samples")}
        />
        <Field label="Form of a sample" error={error("format")}>
          {(props) => (
            <Select {...props} name="format">
              {datasetFormatValues.map((format) => (
                <option key={format}>{format}</option>
              ))}
            </Select>
          )}
        </Field>
        <Field
          label="System prompt"
          className="sm:col-span-2 md:col-span-3"
          hint="Begins each sample; of the form messages alone."
          error={error("system_prompt")}
        >
          {(props) => (
            <textarea {...props} name="system_prompt" maxLength={10_000} rows={2} className="field h-auto! py-1.5" />
          )}
        </Field>
      </div>
    </Panel>
  );
}

const NUMBERS = [
  ["epochs", "Epochs", 1, 100],
  ["batch_size", "Batch size", 1, 1024],
  ["lora_rank", "LoRA rank", 1, 512],
  ["lora_alpha", "LoRA alpha", 1, 1024],
] as const;

export function HyperParameters({ wrong }: { wrong: Wrong }) {
  const error = (name: string) => wrong(`parameters.${name}`) ?? wrong(name);
  return (
    <Panel title="Hyper-parameters">
      <div className="grid grid-cols-2 gap-4 p-4 md:grid-cols-4">
        {NUMBERS.map(([name, label, min, max]) => (
          <Text
            key={name}
            label={label}
            name={name}
            type="number"
            min={min}
            max={max}
            placeholder={String(USUAL[name])}
            error={error(name)}
          />
        ))}
        <Text
          label="Learning rate"
          name="learning_rate"
          type="number"
          min={0}
          max={1}
          step="any"
          placeholder={String(USUAL.learning_rate)}
          error={error("learning_rate")}
        />
        <Text label="Seed" name="seed" type="number" placeholder="the trainer's" error={error("seed")} />
        <Field label="Method" error={error("method")}>
          {(props) => (
            <Select {...props} name="method">
              {methodValues.map((method) => (
                <option key={method}>{method}</option>
              ))}
            </Select>
          )}
        </Field>
        <Text
          label="Target modules"
          name="target_modules"
          placeholder={USUAL.target_modules.join(", ")}
          error={error("target_modules")}
        />
        <Field
          label="Extra, as JSON"
          className="col-span-2 md:col-span-4"
          hint={
            <>
              What only this provider knows. The simulated trainer takes <code>duration_seconds</code>,{" "}
              <code>steps</code>, <code>serves_as</code> and <code>fail</code>.
            </>
          }
          error={error("extra")}
        >
          {(props) => (
            <textarea
              {...props}
              name="extra"
              rows={2}
              spellCheck={false}
              className="field figure h-auto! py-1.5 text-xs"
            />
          )}
        </Field>
      </div>
    </Panel>
  );
}
