import { Plus, Trash2 } from "lucide-react";
import type { FieldErrors } from "@/api/problem";
import type { Model } from "@/api/schema";
import { ActionButton, IconButton } from "@/components/action-button";
import { type EditableListProps, nextKey, removeItem, updateItem } from "@/components/editable-list";
import { SectionPanel } from "@/components/page-layout";
import { TextField } from "@/components/text-field";
import type { ArmDraft } from "@/modules/experiment/experiment-form";
import { formatShare } from "@/modules/experiment/status";
import { ModelSuggestions } from "@/modules/model/model-suggestions";

const MIN_ARMS = 2;
const MAX_ARMS = 8;

interface ArmEditorProps extends EditableListProps<ArmDraft> {
  models: readonly Model[];
  errorOf: FieldErrors;
}

export function ArmEditor({ items, onChange, models, errorOf }: ArmEditorProps) {
  const weights = items.map((arm) => ({ weight: Number(arm.weight) || 1 }));
  const add = () => onChange([...items, { key: nextKey(items), name: "", model: "", weight: "" }]);
  return (
    <SectionPanel
      title="Arms"
      actions={
        <ActionButton small disabled={items.length >= MAX_ARMS} onClick={add}>
          <Plus aria-hidden className="size-3.5" /> Add arm
        </ActionButton>
      }
    >
      <ModelSuggestions id="arm-models" models={models} />
      <ul>
        {items.map((arm, index) => (
          <li key={arm.key} className="border-b border-line p-4 last:border-0">
            <ArmFields
              arm={arm}
              index={index}
              share={formatShare(weights[index]?.weight ?? 1, weights)}
              errorOf={errorOf}
              onChange={(patch) => onChange(updateItem(items, arm.key, patch))}
              onRemove={items.length > MIN_ARMS ? () => onChange(removeItem(items, arm.key)) : undefined}
            />
          </li>
        ))}
      </ul>
      {errorOf("arms") && <p className="px-4 pb-3 text-xs text-danger">{errorOf("arms")}</p>}
    </SectionPanel>
  );
}

interface ArmFieldsProps {
  arm: ArmDraft;
  index: number;
  /** The part of the sessions that the arm gets. */
  share: string;
  errorOf: FieldErrors;
  onChange(patch: Partial<ArmDraft>): void;
  /** Absent while there are no more arms than an experiment needs. */
  onRemove?(): void;
}

function ArmFields({ arm, index, share, errorOf, onChange, onRemove }: ArmFieldsProps) {
  return (
    <fieldset className="grid grid-cols-[minmax(0,1fr)_5rem_auto] items-start gap-3 sm:grid-cols-[10rem_minmax(0,1fr)_6rem_auto]">
      <legend className="sr-only">Arm {index + 1}</legend>
      <TextField
        label="Name"
        className="max-sm:col-span-3"
        error={errorOf(`arms[${index}].name`)}
        mono
        required
        maxLength={50}
        pattern="[a-z][a-z0-9_\-]*"
        title="Lower-case letters, digits, _ and -, starting with a letter"
        value={arm.name}
        onChange={(event) => onChange({ name: event.target.value })}
      />
      <TextField
        label="Model"
        className="max-sm:col-span-3"
        error={errorOf(`arms[${index}].model`)}
        mono
        required
        maxLength={200}
        list="arm-models"
        placeholder="registry/name@alias, or provider/model"
        value={arm.model}
        onChange={(event) => onChange({ model: event.target.value })}
      />
      <TextField
        label="Weight"
        className="max-sm:col-start-1"
        hint={share}
        error={errorOf(`arms[${index}].weight`)}
        mono
        type="number"
        min={1}
        max={1000}
        placeholder="1"
        value={arm.weight}
        onChange={(event) => onChange({ weight: event.target.value })}
      />
      <IconButton
        label={`Remove arm ${index + 1}`}
        disabled={!onRemove}
        className="mt-6 max-sm:col-start-3"
        onClick={onRemove}
      >
        <Trash2 aria-hidden className="size-4" />
      </IconButton>
    </fieldset>
  );
}
