"use client";

import { Clock, Hourglass } from "lucide-react";
import { useMemo } from "react";
import { useSession, useSessionEvents } from "@/api/queries/sessions";
import { useMay } from "@/api/queries/tenancy";
import type { Session } from "@/api/schema";
import { Copy } from "@/components/copy";
import { shortId } from "@/components/format";
import { Empty, Failure, Loading } from "@/components/states";
import { Tabs } from "@/components/tabs";
import { Ago, useNow } from "@/components/time";
import { WentWrong } from "@/components/went-wrong";
import { useQueryState } from "@/hooks/use-query-state";
import { useTopic } from "@/live/hooks";
import { ActionBar } from "@/modules/session/action-bar";
import { Checkpoints } from "@/modules/session/checkpoints";
import { isSpoken, story } from "@/modules/session/events";
import { Files } from "@/modules/session/files";
import { QuestionBox } from "@/modules/session/question-box";
import { SayBox } from "@/modules/session/say-box";
import { Timeline } from "@/modules/session/timeline";
import { Tool, Transcript } from "@/modules/session/transcript";
import { Tree } from "@/modules/session/tree";
import { waits } from "@/modules/session/waits";
import { StatusBadge } from "@/modules/status/badge";
import { Rail } from "./rail";

export function SessionPage() {
  const [search] = useQueryState();
  const id = search.get("id");
  if (!id) return <Empty title="No session is named.">Choose one from the list of sessions.</Empty>;
  return <Shown key={id} id={id} />;
}

function Shown({ id }: { id: string }) {
  useTopic(`/ws/sessions/${id}`);
  const session = useSession(id);
  if (session.isPending) return <Loading rows={10} />;
  if (!session.data) return <Failure error={session.error} retry={() => void session.refetch()} />;
  return <Whole session={session.data} />;
}

/** Why it stands where it stands, and what one can do about it. */
function Standing({ session, mayWrite }: { session: Session; mayWrite: boolean }) {
  const error = session.outcome?.error;
  if (session.pause?.question)
    return <QuestionBox id={session.id} question={session.pause.question} mayWrite={mayWrite} />;
  if (error) return <WentWrong error={error} />;
  const why = waits(session);
  if (!why) return null;
  const Icon = session.status === "queued" ? Hourglass : Clock;
  return (
    <p role="status" className="panel flex items-center gap-2 bg-raised px-3 py-2 text-[0.8125rem]">
      <Icon aria-hidden className="size-4 shrink-0 text-muted" />
      <span>
        {why.charAt(0).toUpperCase() + why.slice(1)}
        {session.pause?.resume_at && (
          <>
            ; it goes on by itself <Ago at={session.pause.resume_at} />
          </>
        )}
        .
      </span>
    </p>
  );
}

function Whole({ session }: { session: Session }) {
  const [search, set] = useQueryState();
  const events = useSessionEvents(session.id);
  const mayWrite = useMay("sessions:write");
  const now = useNow();
  const log = events.data ?? [];
  const entries = useMemo(() => story(events.data ?? []), [events.data]);
  const tools = useMemo(() => entries.filter((entry) => entry.kind === "tool"), [entries]);
  const tab = search.get("tab") ?? "transcript";
  const works = session.status === "running" || session.status === "degraded";
  const spoken = useMemo(() => entries.filter(isSpoken), [entries]);

  const failed = events.isLoadingError && log.length === 0 && (
    <Failure error={events.error} retry={() => void events.refetch()} />
  );
  const tabs = [
    {
      id: "transcript",
      title: "Transcript",
      content: failed || (
        <>
          <Transcript prompt={session.initial_prompt} entries={spoken} working={works} />
          {mayWrite && works && <SayBox id={session.id} />}
        </>
      ),
    },
    { id: "files", title: "Files", content: <Files id={session.id} /> },
    {
      id: "tools",
      title: "Tools",
      count: tools.length,
      content:
        tools.length === 0 ? (
          <Empty title="No tool has been used." />
        ) : (
          <div className="flex flex-col gap-2 p-3 md:p-4">
            {tools.map((entry) => (
              <Tool key={entry.key} entry={entry} />
            ))}
          </div>
        ),
    },
    {
      id: "timeline",
      title: "Timeline",
      content: failed || (
        <Timeline
          events={log}
          created={session.created_at}
          now={session.ended_at ? Date.parse(session.ended_at) : now}
        />
      ),
    },
    {
      id: "checkpoints",
      title: "Checkpoints",
      count: session.checkpoint_count,
      content: <Checkpoints session={session} mayWrite={mayWrite} />,
    },
    { id: "tree", title: "Tree", count: session.child_count, content: <Tree id={session.id} root={session.root_id} /> },
  ];

  return (
    <div className="mx-auto flex max-w-[120rem] flex-col gap-3">
      <header className="flex flex-wrap items-start gap-x-4 gap-y-2">
        <div className="min-w-0 flex-1 basis-80">
          <div className="flex flex-wrap items-center gap-2.5">
            <StatusBadge status={session.status} large />
            <h1 className="min-w-0 text-lg font-semibold break-words">{session.title}</h1>
          </div>
          <p className="mt-1 flex flex-wrap items-center gap-x-2 text-xs text-muted">
            <span className="figure" title={session.id}>
              {shortId(session.id)}
            </span>
            <Copy text={session.id} label="Copy the id" />
            {session.session_type} · {session.priority} · by {session.created_by.name} <Ago at={session.created_at} />
          </p>
        </div>
        {mayWrite && <ActionBar session={session} />}
      </header>
      <Standing session={session} mayWrite={mayWrite} />
      <div className="grid items-start gap-3 xl:grid-cols-[minmax(0,1fr)_20rem]">
        <div className="panel min-w-0">
          <Tabs
            label="Parts of the session"
            tabs={tabs}
            value={tab}
            onChange={(id) => set({ tab: id === "transcript" ? undefined : id })}
          />
        </div>
        <Rail session={session} events={log} />
      </div>
    </div>
  );
}
