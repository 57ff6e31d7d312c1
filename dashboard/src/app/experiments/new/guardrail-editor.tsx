import { Plus, Trash2 } from "lucide-react";
import type { FieldErrors } from "@/api/problem";
import { type GuardedMetric, guardedMetricValues } from "@/api/schema";
import { ActionButton, IconButton } from "@/components/action-button";
import { type EditableListProps, nextKey, removeItem, updateItem } from "@/components/editable-list";
import { SectionPanel } from "@/components/page-layout";
import { SelectField } from "@/components/select-field";
import { TextField } from "@/components/text-field";
import type { GuardrailDraft } from "@/modules/experiment/experiment-form";
import { GUARDED_METRICS } from "@/modules/experiment/status";

const MAX_GUARDRAILS = 10;

interface GuardrailEditorProps extends EditableListProps<GuardrailDraft> {
  errorOf: FieldErrors;
}

export function GuardrailEditor({ items, onChange, errorOf }: GuardrailEditorProps) {
  const add = () => onChange([...items, { key: nextKey(items), metric: "success_rate", limit: "", min_sessions: "" }]);
  return (
    <SectionPanel
      title="Guardrails"
      actions={
        <ActionButton small disabled={items.length >= MAX_GUARDRAILS} onClick={add}>
          <Plus aria-hidden className="size-3.5" /> Add guardrail
        </ActionButton>
      }
    >
      {items.length === 0 && (
        <p className="p-4 text-[0.8125rem] text-muted">
          A guardrail stops an arm whose mean violates its limit, and distributes its share over the other arms. Without
          guardrails, no arm is stopped.
        </p>
      )}
      <ul>
        {items.map((guardrail, index) => (
          <li key={guardrail.key} className="border-b border-line p-4 last:border-0">
            <GuardrailFields
              guardrail={guardrail}
              index={index}
              errorOf={errorOf}
              onChange={(patch) => onChange(updateItem(items, guardrail.key, patch))}
              onRemove={() => onChange(removeItem(items, guardrail.key))}
            />
          </li>
        ))}
      </ul>
    </SectionPanel>
  );
}

interface GuardrailFieldsProps {
  guardrail: GuardrailDraft;
  index: number;
  errorOf: FieldErrors;
  onChange(patch: Partial<GuardrailDraft>): void;
  onRemove(): void;
}

function GuardrailFields({ guardrail, index, errorOf, onChange, onRemove }: GuardrailFieldsProps) {
  const { metric } = guardrail;
  const isRate = metric === "success_rate";
  return (
    <fieldset className="grid grid-cols-[minmax(0,1fr)_minmax(0,1fr)_auto] items-start gap-3 sm:grid-cols-[minmax(0,1fr)_8rem_10rem_auto]">
      <legend className="sr-only">Guardrail {index + 1}</legend>
      <SelectField
        label="Metric"
        className="max-sm:col-span-3"
        error={errorOf(`guardrails[${index}].metric`)}
        value={metric}
        onChange={(event) => onChange({ metric: event.target.value as GuardedMetric })}
      >
        {guardedMetricValues.map((value) => (
          <option key={value} value={value}>
            {GUARDED_METRICS[value].label}
          </option>
        ))}
      </SelectField>
      <TextField
        label={GUARDED_METRICS[metric].comparison === "at least" ? "At least" : "At most"}
        hint={isRate ? "0 to 1" : undefined}
        error={errorOf(`guardrails[${index}].limit`)}
        mono
        type="number"
        required
        min={0}
        max={isRate ? 1 : undefined}
        step="any"
        value={guardrail.limit}
        onChange={(event) => onChange({ limit: event.target.value })}
      />
      <TextField
        label="After sessions"
        error={errorOf(`guardrails[${index}].min_sessions`)}
        mono
        type="number"
        min={1}
        max={100_000}
        placeholder="20"
        value={guardrail.min_sessions}
        onChange={(event) => onChange({ min_sessions: event.target.value })}
      />
      <IconButton label={`Remove guardrail ${index + 1}`} className="mt-6" onClick={onRemove}>
        <Trash2 aria-hidden className="size-4" />
      </IconButton>
    </fieldset>
  );
}
