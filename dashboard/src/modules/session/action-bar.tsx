"use client";

import {
  CirclePlay,
  CircleStop,
  CircleX,
  Ellipsis,
  GitFork,
  Pause,
  Play,
  RotateCcw,
  Save,
  Trash2,
  Undo2,
} from "lucide-react";
import { useRouter } from "next/navigation";
import { DropdownMenu } from "radix-ui";
import { useState } from "react";
import { sessionCalls, sessionKeys } from "@/api/queries/sessions";
import { type PriorityWord, priorityWordValues, type Session } from "@/api/schema";
import { Button, IconButton } from "@/components/button";
import { Confirm } from "@/components/confirm";
import { useAct } from "@/hooks/use-act";
import { ACTIONS, allowed, type Verb } from "./actions";

const ICONS = {
  start: CirclePlay,
  unqueue: Undo2,
  pause: Pause,
  resume: Play,
  cancel: CircleX,
  stop: CircleStop,
  retry: RotateCcw,
} as const;
const ITEM = "flex items-center gap-2 rounded px-2 py-1.5 text-[0.8125rem] outline-none data-highlighted:bg-raised";

function Verbs({ session }: { session: Session }) {
  const [asked, setAsked] = useState<Verb | null>(null);
  const [reason, setReason] = useState("");
  const act = useAct(({ verb, reason }: { verb: Verb; reason?: string }) => ACTIONS[verb].run(session.id, reason), {
    renews: [sessionKeys.all],
    after: () => setAsked(null),
  });
  const action = asked && ACTIONS[asked];
  return (
    <>
      {allowed(session).map((verb) => {
        const { label, asks, danger } = ACTIONS[verb];
        const Icon = ICONS[verb];
        return (
          <Button
            key={verb}
            look={danger ? "danger" : verb === "start" || verb === "resume" || verb === "retry" ? "primary" : "plain"}
            busy={act.isPending && act.variables.verb === verb}
            onClick={() => (asks ? setAsked(verb) : act.mutate({ verb }))}
          >
            <Icon aria-hidden className="size-3.5" /> {label}
          </Button>
        );
      })}
      {asked && action && (
        <Confirm
          title={`${action.label}?`}
          text={action.asks}
          act={action.label}
          danger={action.danger}
          busy={act.isPending}
          onConfirm={() => act.mutate({ verb: asked, reason: reason.trim() || undefined })}
          onClose={() => setAsked(null)}
        >
          <input
            aria-label="Reason"
            placeholder="Why? (for the record)"
            maxLength={500}
            value={reason}
            onChange={(event) => setReason(event.target.value)}
            className="field"
          />
        </Confirm>
      )}
    </>
  );
}

/** What else: a checkpoint, a fork, another priority, out of the way. */
function More({ session }: { session: Session }) {
  const router = useRouter();
  const [removing, setRemoving] = useState(false);
  const renews = [sessionKeys.all];
  const checkpoint = useAct(() => sessionCalls.checkpoint(session.id), { renews, done: "A checkpoint was taken." });
  const fork = useAct(() => sessionCalls.fork(session.id), {
    renews,
    done: "Forked.",
    after: (made) => router.push(`/session/?id=${made.id}`),
  });
  const change = useAct((priority: string) => sessionCalls.change(session.id, { priority: priority as PriorityWord }), {
    renews,
  });
  const remove = useAct(() => sessionCalls.remove(session.id), {
    renews: [sessionKeys.lists, sessionKeys.stats],
    done: "Deleted.",
    after: () => router.push("/sessions/"),
  });
  const ended = Boolean(session.ended_at);
  return (
    <>
      <DropdownMenu.Root>
        <DropdownMenu.Trigger asChild>
          <IconButton label="More" className="border border-line-strong bg-surface">
            <Ellipsis aria-hidden className="size-4" />
          </IconButton>
        </DropdownMenu.Trigger>
        <DropdownMenu.Portal>
          <DropdownMenu.Content align="end" sideOffset={4} className="panel z-50 w-52 p-1 shadow-(--shadow)">
            {!ended && (
              <DropdownMenu.Item className={ITEM} onSelect={() => checkpoint.mutate(undefined)}>
                <Save aria-hidden className="size-4 text-muted" /> Take a checkpoint
              </DropdownMenu.Item>
            )}
            {session.checkpoint_count > 0 && (
              <DropdownMenu.Item className={ITEM} onSelect={() => fork.mutate(undefined)}>
                <GitFork aria-hidden className="size-4 text-muted" /> Fork from the last checkpoint
              </DropdownMenu.Item>
            )}
            {!ended && (
              <>
                <DropdownMenu.Label className="label px-2 pt-2">Priority</DropdownMenu.Label>
                <DropdownMenu.RadioGroup value={session.priority} onValueChange={(word) => change.mutate(word)}>
                  {priorityWordValues.map((word) => (
                    <DropdownMenu.RadioItem key={word} value={word} className={ITEM}>
                      <span className="w-4">
                        <DropdownMenu.ItemIndicator>•</DropdownMenu.ItemIndicator>
                      </span>
                      {word}
                    </DropdownMenu.RadioItem>
                  ))}
                </DropdownMenu.RadioGroup>
              </>
            )}
            {(ended || session.status === "pending") && (
              <DropdownMenu.Item className={ITEM} onSelect={() => setRemoving(true)}>
                <Trash2 aria-hidden className="size-4 text-danger" /> Delete
              </DropdownMenu.Item>
            )}
          </DropdownMenu.Content>
        </DropdownMenu.Portal>
      </DropdownMenu.Root>
      {removing && (
        <Confirm
          title="Delete this session?"
          text="Its log, its checkpoints and its artifacts go with it. This cannot be taken back."
          act="Delete"
          danger
          busy={remove.isPending}
          onConfirm={() => remove.mutate(undefined)}
          onClose={() => setRemoving(false)}
        />
      )}
    </>
  );
}

export function ActionBar({ session }: { session: Session }) {
  return (
    <div className="flex flex-wrap items-center gap-2">
      <Verbs session={session} />
      <More session={session} />
    </div>
  );
}
