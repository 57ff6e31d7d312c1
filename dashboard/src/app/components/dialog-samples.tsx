"use client";

import { useState } from "react";
import { ActionButton } from "@/components/action-button";
import { CommandBlock } from "@/components/command-block";
import { ConfirmDialog } from "@/components/confirm-dialog";
import { FormActions, ModalDialog } from "@/components/modal-dialog";
import { OneTimeSecret } from "@/components/one-time-secret";
import { SectionPanel } from "@/components/page-layout";
import { TextField } from "@/components/text-field";
import { showToast } from "@/components/toast";

const IDLE = { isError: false, isPending: false, error: null };

/** `ToastRegion` is part of the application around every page. */
export function DialogSamples() {
  const [open, setOpen] = useState<"form" | "confirmation" | null>(null);
  const close = () => setOpen(null);
  return (
    <SectionPanel title="Dialogs and messages">
      <div className="flex flex-wrap items-center gap-2 p-3">
        <ActionButton onClick={() => setOpen("form")}>Open a form</ActionButton>
        <ActionButton onClick={() => setOpen("confirmation")}>Ask for confirmation</ActionButton>
        <ActionButton onClick={() => showToast("The change is saved.")}>Show a message</ActionButton>
        <ActionButton onClick={() => showToast("The change was refused.", true)}>Show an error message</ActionButton>
      </div>
      <div className="border-t border-line p-3">
        <OneTimeSecret label="Sample secret" secret="ioc_sample_0123456789abcdef" onDone={close} />
      </div>
      <div className="border-t border-line p-3">
        <CommandBlock label="Sample command" command="ioc-runner start" />
      </div>
      {open === "form" && (
        <ModalDialog open onOpenChange={close} title="A form" description="A dialog with a form.">
          <form className="flex flex-col gap-4">
            <TextField label="Name" />
            <FormActions mutation={IDLE} act="Save" onClose={close} />
          </form>
        </ModalDialog>
      )}
      {open === "confirmation" && (
        <ConfirmDialog
          title="Remove the sample?"
          text="This cannot be undone."
          act="Remove"
          danger
          onConfirm={close}
          onClose={close}
        />
      )}
    </SectionPanel>
  );
}
