"use client";

import type { ReactNode, SelectHTMLAttributes } from "react";
import { FormField } from "./form-field";
import { SelectInput } from "./select-input";

interface SelectFieldProps extends SelectHTMLAttributes<HTMLSelectElement> {
  label: string;
  hint?: ReactNode;
  error?: string;
  /** The options, where each has the same text as its value. Other options are passed as children. */
  options?: readonly string[];
}

/** A labelled choice of one value. */
export function SelectField({ label, hint, error, className, options = [], children, ...rest }: SelectFieldProps) {
  return (
    <FormField label={label} hint={hint} error={error} className={className}>
      {(props) => (
        <SelectInput {...props} {...rest}>
          {children}
          {options.map((option) => (
            <option key={option}>{option}</option>
          ))}
        </SelectInput>
      )}
    </FormField>
  );
}
