"use client";

import { AlertDialog } from "radix-ui";
import type { ReactNode } from "react";
import { ActionButton } from "./action-button";

interface ConfirmDialogProps {
  title: string;
  text: ReactNode;
  act: string;
  danger?: boolean;
  busy?: boolean;
  onConfirm(): void;
  onClose(): void;
  children?: ReactNode;
}

/** Asks for confirmation before an action. */
export function ConfirmDialog({ title, text, act, danger, busy, onConfirm, onClose, children }: ConfirmDialogProps) {
  return (
    <AlertDialog.Root open onOpenChange={(open) => !open && onClose()}>
      <AlertDialog.Portal>
        <AlertDialog.Overlay className="fixed inset-0 z-40 bg-black/55" />
        <AlertDialog.Content className="panel fixed top-1/2 left-1/2 z-50 w-[calc(100vw-2rem)] max-w-md -translate-x-1/2 -translate-y-1/2 p-4 shadow-(--shadow)">
          <AlertDialog.Title className="font-semibold">{title}</AlertDialog.Title>
          <AlertDialog.Description className="mt-1 text-[0.8125rem] text-muted">{text}</AlertDialog.Description>
          {children && <div className="mt-3">{children}</div>}
          <div className="mt-4 flex justify-end gap-2">
            <AlertDialog.Cancel asChild>
              <ActionButton>Go back</ActionButton>
            </AlertDialog.Cancel>
            <ActionButton look={danger ? "danger" : "primary"} busy={busy} onClick={onConfirm}>
              {act}
            </ActionButton>
          </div>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}
