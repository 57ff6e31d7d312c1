import { Plus, Trash2 } from "lucide-react";
import type { FieldErrors } from "@/api/problem";
import { ActionButton, IconButton } from "@/components/action-button";
import { nextKey, removeItem, updateItem } from "@/components/editable-list";
import { TextAreaField, TextField } from "@/components/text-field";
import type { VariableDraft } from "./environment-draft";

const MAX_VARIABLES = 100;

interface VariableRowsProps {
  /** The field of the request that holds the variables. */
  field: string;
  /** What the variables belong to, for screen readers. */
  owner: string;
  items: readonly VariableDraft[];
  onChange(items: VariableDraft[]): void;
  errorOf: FieldErrors;
}

/** Names with values. A value may have several lines. */
export function VariableRows({ field, owner, items, onChange, errorOf }: VariableRowsProps) {
  return (
    <div className="flex flex-col gap-2">
      {items.map((one, index) => (
        <fieldset
          key={one.key}
          className="grid grid-cols-[minmax(0,1fr)_auto] items-start gap-3 sm:grid-cols-[minmax(0,1fr)_minmax(0,2fr)_auto]"
        >
          <legend className="sr-only">
            Variable {index + 1} of {owner}
          </legend>
          <TextField
            label="Name"
            className="max-sm:col-span-2"
            error={errorOf(`${field}.${one.name.trim()}`)}
            mono
            required
            maxLength={100}
            pattern="[A-Za-z_][A-Za-z0-9_]*"
            title="Letters, digits and _, not starting with a digit"
            value={one.name}
            onChange={(event) => onChange(updateItem(items, one.key, { name: event.target.value }))}
          />
          <TextAreaField
            label="Value"
            mono
            rows={1}
            maxLength={8192}
            value={one.value}
            onChange={(event) => onChange(updateItem(items, one.key, { value: event.target.value }))}
          />
          <IconButton
            label={`Remove variable ${index + 1} of ${owner}`}
            className="mt-6"
            onClick={() => onChange(removeItem(items, one.key))}
          >
            <Trash2 aria-hidden className="size-4" />
          </IconButton>
        </fieldset>
      ))}
      <ActionButton
        small
        className="self-start"
        disabled={items.length >= MAX_VARIABLES}
        aria-label={`Add variable to ${owner}`}
        onClick={() => onChange([...items, { key: nextKey(items), name: "", value: "" }])}
      >
        <Plus aria-hidden className="size-3.5" /> Add variable
      </ActionButton>
    </div>
  );
}
