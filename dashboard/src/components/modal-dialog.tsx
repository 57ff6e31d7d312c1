"use client";

import type { UseMutationResult } from "@tanstack/react-query";
import { X } from "lucide-react";
import { Dialog as Primitive } from "radix-ui";
import type { ReactNode } from "react";
import { ActionButton } from "./action-button";
import { cx } from "./class-names";
import { ErrorAlert } from "./content-states";

interface ModalDialogProps {
  open: boolean;
  onOpenChange(open: boolean): void;
  title: string;
  description?: ReactNode;
  children: ReactNode;
  wide?: boolean;
}

export function ModalDialog({ open, onOpenChange, title, description, children, wide }: ModalDialogProps) {
  return (
    <Primitive.Root open={open} onOpenChange={onOpenChange}>
      <Primitive.Portal>
        <Primitive.Overlay className="fixed inset-0 z-40 bg-black/55 backdrop-blur-[1px]" />
        <Primitive.Content
          {...(description ? {} : { "aria-describedby": undefined })}
          className={cx(
            "panel fixed top-1/2 left-1/2 z-50 max-h-[90dvh] w-[calc(100vw-2rem)] -translate-x-1/2 -translate-y-1/2 overflow-y-auto shadow-(--shadow)",
            wide ? "max-w-2xl" : "max-w-md",
          )}
        >
          <header className="flex items-start gap-3 border-b border-line px-4 py-3">
            <div className="min-w-0 flex-1">
              <Primitive.Title className="font-semibold">{title}</Primitive.Title>
              {description && (
                <Primitive.Description className="mt-0.5 text-[0.8125rem] text-muted">
                  {description}
                </Primitive.Description>
              )}
            </div>
            <Primitive.Close aria-label="Close" className="rounded-md p-1 text-muted hover:bg-raised hover:text-text">
              <X aria-hidden className="size-4" />
            </Primitive.Close>
          </header>
          <div className="p-4">{children}</div>
        </Primitive.Content>
      </Primitive.Portal>
    </Primitive.Root>
  );
}

interface FormActionsProps {
  mutation: Pick<UseMutationResult, "isError" | "error" | "isPending">;
  act: string;
  onClose(): void;
}

/** The error and the buttons at the end of a form in a dialog. The form arranges them. */
export function FormActions({ mutation, act, onClose }: FormActionsProps) {
  return (
    <>
      {mutation.isError && <ErrorAlert error={mutation.error} compact />}
      <div className="flex justify-end gap-2">
        <ActionButton onClick={onClose}>Cancel</ActionButton>
        <ActionButton type="submit" look="primary" busy={mutation.isPending}>
          {act}
        </ActionButton>
      </div>
    </>
  );
}
