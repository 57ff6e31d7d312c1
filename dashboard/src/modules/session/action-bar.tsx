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
import { type PriorityWord, priorityWordValues, type Session } from "@/api/schema";
import { ActionButton, IconButton } from "@/components/action-button";
import { ConfirmDialog } from "@/components/confirm-dialog";
import { useAction } from "@/hooks/use-action";
import { sessionCalls, sessionKeys } from "@/queries/sessions";
import { allowedActions, SESSION_ACTIONS, type SessionVerb } from "./actions";

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

/** The API call behind an action. Only some of the calls take a reason. */
function callOf(verb: SessionVerb): (id: string, reason?: string) => Promise<Session> {
  return sessionCalls[verb];
}

function SessionActionButtons({ session }: { session: Session }) {
  const [asked, setAsked] = useState<SessionVerb | null>(null);
  const [reason, setReason] = useState("");
  const act = useAction(
    ({ verb, reason }: { verb: SessionVerb; reason?: string }) => callOf(verb)(session.id, reason),
    {
      invalidates: [sessionKeys.all],
      onSuccess: () => setAsked(null),
    },
  );
  const action = asked && SESSION_ACTIONS[asked];
  return (
    <>
      {allowedActions(session).map((verb) => {
        const { label, confirmation, danger } = SESSION_ACTIONS[verb];
        const Icon = ICONS[verb];
        return (
          <ActionButton
            key={verb}
            look={danger ? "danger" : verb === "start" || verb === "resume" || verb === "retry" ? "primary" : "plain"}
            busy={act.isPending && act.variables.verb === verb}
            onClick={() => (confirmation ? setAsked(verb) : act.mutate({ verb }))}
          >
            <Icon aria-hidden className="size-3.5" /> {label}
          </ActionButton>
        );
      })}
      {asked && action && (
        <ConfirmDialog
          title={`${action.label}?`}
          text={action.confirmation}
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
        </ConfirmDialog>
      )}
    </>
  );
}

/** Further actions: a checkpoint, a fork, another priority, deletion. */
function SessionMenu({ session }: { session: Session }) {
  const router = useRouter();
  const [removing, setRemoving] = useState(false);
  const invalidates = [sessionKeys.all];
  const checkpoint = useAction(() => sessionCalls.checkpoint(session.id), {
    invalidates,
    successMessage: "A checkpoint was taken.",
  });
  const fork = useAction(() => sessionCalls.fork(session.id), {
    invalidates,
    successMessage: "The session was forked.",
    onSuccess: (fork) => router.push(`/sessions/detail/?id=${fork.id}`),
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
            {!ended && <PriorityItems session={session} />}
            {(ended || session.status === "pending") && (
              <DropdownMenu.Item className={ITEM} onSelect={() => setRemoving(true)}>
                <Trash2 aria-hidden className="size-4 text-danger" /> Delete
              </DropdownMenu.Item>
            )}
          </DropdownMenu.Content>
        </DropdownMenu.Portal>
      </DropdownMenu.Root>
      {removing && <DeleteSessionDialog id={session.id} onClose={() => setRemoving(false)} />}
    </>
  );
}

function PriorityItems({ session }: { session: Session }) {
  const change = useAction(
    (priority: string) => sessionCalls.change(session.id, { priority: priority as PriorityWord }),
    { invalidates: [sessionKeys.all] },
  );
  return (
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
  );
}

function DeleteSessionDialog({ id, onClose }: { id: string; onClose(): void }) {
  const router = useRouter();
  const remove = useAction(() => sessionCalls.remove(id), {
    invalidates: [sessionKeys.lists, sessionKeys.stats],
    successMessage: "The session was deleted.",
    onSuccess: () => router.push("/sessions/"),
  });
  return (
    <ConfirmDialog
      title="Delete this session?"
      text="Its log, its checkpoints and its artifacts are deleted too. This cannot be undone."
      act="Delete"
      danger
      busy={remove.isPending}
      onConfirm={() => remove.mutate(undefined)}
      onClose={onClose}
    />
  );
}

export function SessionActionBar({ session }: { session: Session }) {
  return (
    <div className="flex flex-wrap items-center gap-2">
      <SessionActionButtons session={session} />
      <SessionMenu session={session} />
    </div>
  );
}
