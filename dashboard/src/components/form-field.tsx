"use client";

import { type ReactNode, useId } from "react";
import { cx } from "./class-names";

interface FormFieldProps {
  label: string;
  hint?: ReactNode;
  error?: string;
  className?: string;
  children(props: { id: string; "aria-describedby"?: string; "aria-invalid"?: true }): ReactNode;
}

/** A label with a hint or an error for a form control. */
export function FormField({ label, hint, error, className, children }: FormFieldProps) {
  const id = useId();
  const note = error || hint ? `${id}-note` : undefined;
  return (
    <div className={cx("flex min-w-0 flex-col gap-1", className)}>
      <label htmlFor={id} className="text-[0.8125rem] font-medium">
        {label}
      </label>
      {children({ id, "aria-describedby": note, "aria-invalid": error ? true : undefined })}
      {(error || hint) && (
        <p id={note} className={cx("text-xs", error ? "text-danger" : "text-muted")}>
          {error ?? hint}
        </p>
      )}
    </div>
  );
}
