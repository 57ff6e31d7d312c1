"use client";

import { SendHorizontal } from "lucide-react";
import { type FormEvent, useState } from "react";
import { sessionCalls, sessionKeys } from "@/api/queries/sessions";
import { Button } from "@/components/button";
import { useAct } from "@/hooks/use-act";

/** A further prompt for a session that works. */
export function SayBox({ id }: { id: string }) {
  const [text, setText] = useState("");
  const say = useAct((text: string) => sessionCalls.say(id, text), {
    renews: [sessionKeys.all],
    done: "The agent will hear it.",
    after: () => setText(""),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (text.trim()) say.mutate(text.trim());
  };
  return (
    <form onSubmit={submit} className="flex items-end gap-2 border-t border-line p-3">
      <textarea
        aria-label="Say something to the agent"
        placeholder="Say something to the agent"
        rows={1}
        maxLength={10000}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter" && (event.metaKey || event.ctrlKey)) event.currentTarget.form?.requestSubmit();
        }}
        className="field h-auto! min-h-8 flex-1 resize-y py-1.5"
      />
      <Button type="submit" busy={say.isPending} disabled={!text.trim()}>
        <SendHorizontal aria-hidden className="size-3.5" /> Send
      </Button>
    </form>
  );
}
