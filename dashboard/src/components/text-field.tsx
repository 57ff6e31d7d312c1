"use client";

import type { InputHTMLAttributes, ReactNode, TextareaHTMLAttributes } from "react";
import { cx } from "./class-names";
import { FormField } from "./form-field";

interface FieldLabels {
  label: string;
  hint?: ReactNode;
  error?: string;
}

interface TextFieldProps extends InputHTMLAttributes<HTMLInputElement>, FieldLabels {
  /** For names, numbers and other values that people read character by character. */
  mono?: boolean;
}

/** A labelled input of one line. */
export function TextField({ label, hint, error, mono, className, ...rest }: TextFieldProps) {
  return (
    <FormField label={label} hint={hint} error={error} className={className}>
      {(props) => <input {...props} {...rest} className={cx("field", mono && "figure text-xs")} />}
    </FormField>
  );
}

interface TextAreaFieldProps extends TextareaHTMLAttributes<HTMLTextAreaElement>, FieldLabels {
  mono?: boolean;
  /** Shows dots in place of the text, for secrets of several lines. */
  masked?: boolean;
}

/** A labelled input of several lines. */
export function TextAreaField({ label, hint, error, mono, masked, className, ...rest }: TextAreaFieldProps) {
  return (
    <FormField label={label} hint={hint} error={error} className={className}>
      {(props) => (
        <textarea
          {...props}
          {...rest}
          className={cx(
            "field h-auto! resize-y py-1.5",
            mono && "figure text-xs",
            masked && "[-webkit-text-security:disc]",
          )}
        />
      )}
    </FormField>
  );
}
