"use client";

import { type KeyboardEvent, useState } from "react";
import { ActionButton } from "@/components/action-button";
import { TextField } from "@/components/text-field";
import type { EnvironmentFormPart } from "./form-parts";

interface SecretPickerProps extends EnvironmentFormPart {
  /** The names of the secrets that exist. Absent while they are not known. */
  known?: readonly string[];
}

/** The names of the secrets that sessions receive. A secret may also be named before it exists. */
export function SecretPicker({ draft: { secrets }, onChange, errorOf, known }: SecretPickerProps) {
  const [name, setName] = useState("");
  const all = [...new Set([...(known ?? []), ...secrets])].sort();
  const toggle = (one: string) =>
    onChange({ secrets: secrets.includes(one) ? secrets.filter((each) => each !== one) : [...secrets, one] });
  const add = () => {
    const added = name.trim();
    if (added && !secrets.includes(added)) onChange({ secrets: [...secrets, added] });
    setName("");
  };
  const handleKey = (event: KeyboardEvent) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    add();
  };
  const wrong = secrets.map((one, index) => [one, errorOf(`secrets[${index}]`)] as const).filter(([, error]) => error);
  return (
    <fieldset className="flex flex-col gap-2 text-[0.8125rem]">
      <legend className="mb-1 font-medium">Secrets</legend>
      <p className="text-xs text-muted">
        Sessions receive these secrets as variables. The phase of a secret decides whether the set-up script, the agent,
        or both see it.
      </p>
      <div className="flex flex-wrap gap-x-4 gap-y-1">
        {all.map((one) => (
          <label key={one} className="figure flex min-h-6 items-center gap-2 text-xs">
            <input
              type="checkbox"
              checked={secrets.includes(one)}
              onChange={() => toggle(one)}
              className="accent-accent"
            />
            {one}
            {known && !known.includes(one) && <span className="font-sans text-muted">(not stored yet)</span>}
          </label>
        ))}
      </div>
      <div className="flex items-end gap-2">
        <TextField
          label="Another name"
          mono
          maxLength={100}
          pattern="[A-Za-z_][A-Za-z0-9_]*"
          title="Letters, digits and _, not starting with a digit"
          value={name}
          onChange={(event) => setName(event.target.value)}
          onKeyDown={handleKey}
        />
        <ActionButton onClick={add} disabled={!name.trim()}>
          Add
        </ActionButton>
      </div>
      {wrong.map(([one, error]) => (
        <p key={one} className="text-xs text-danger">
          <span className="figure">{one}</span>: {error}
        </p>
      ))}
      {errorOf("secrets") && <p className="text-xs text-danger">{errorOf("secrets")}</p>}
    </fieldset>
  );
}
