"use client";

import { SendHorizontal } from "lucide-react";
import { type FormEvent, useState } from "react";
import { ActionButton } from "@/components/action-button";
import { useAction } from "@/hooks/use-action";
import { sessionCalls, sessionKeys } from "@/queries/sessions";

/** A form that sends a message to the agent of a running session. */
export function MessageBox({ id }: { id: string }) {
  const [text, setText] = useState("");
  const say = useAction((text: string) => sessionCalls.sendMessage(id, text), {
    invalidates: [sessionKeys.all],
    successMessage: "The message was sent.",
    onSuccess: () => setText(""),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (text.trim()) say.mutate(text.trim());
  };
  return (
    <form onSubmit={submit} className="flex items-end gap-2 border-t border-line p-3">
      <textarea
        aria-label="Send a message to the agent"
        placeholder="Send a message to the agent"
        rows={1}
        maxLength={100000}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter" && (event.metaKey || event.ctrlKey)) event.currentTarget.form?.requestSubmit();
        }}
        className="field h-auto! min-h-8 flex-1 resize-y py-1.5"
      />
      <ActionButton type="submit" busy={say.isPending} disabled={!text.trim()}>
        <SendHorizontal aria-hidden className="size-3.5" /> Send
      </ActionButton>
    </form>
  );
}
