"use client";

import { type ReactNode, useMemo } from "react";
import type { Artifact, Event, SessionDetails, TrainedOnSession } from "@/api/schema";
import { EmptyState, ErrorAlert } from "@/components/content-states";
import { CopyButton } from "@/components/copy-button";
import { shortId } from "@/components/format";
import type { LoadState } from "@/components/load-state";
import { RelativeTime, useNow } from "@/components/relative-time";
import { TabbedPanels, type TabItem } from "@/components/tabbed-panels";
import { SessionTimeline } from "@/modules/session/timeline";
import { SessionTranscript, ToolCall } from "@/modules/session/transcript";
import { buildTranscript, isTranscriptEntry, type TranscriptEntry } from "@/modules/session/transcript-entries";
import { StatusBadge } from "@/modules/status/status-badge";
import { SessionDetailsPanel } from "./session-details-panel";
import { StatusBanner } from "./status-banner";

interface SessionViewProps {
  session: SessionDetails;
  events: LoadState<readonly Event[]>;
  artifacts: readonly Artifact[];
  /** The versions that were trained on the session, or evaluated with it. */
  models: readonly TrainedOnSession[];
  tab: string;
  onTab(id: string): void;
  actions: ReactNode;
  answerForm: ReactNode;
  /** The form that sends a message to the agent, for callers who may. */
  messageBox: ReactNode;
  files: ReactNode;
  checkpoints: ReactNode;
  tree: ReactNode;
}

export function SessionView(props: SessionViewProps) {
  const { session, events, tab, onTab } = props;
  const log = events.data ?? [];
  return (
    <div className="mx-auto flex max-w-[120rem] flex-col gap-3">
      <SessionHeader session={session} actions={props.actions} />
      <StatusBanner session={session} answerForm={props.answerForm} />
      <div className="grid items-start gap-3 xl:grid-cols-[minmax(0,1fr)_20rem]">
        <div className="panel min-w-0">
          <TabbedPanels label="Parts of the session" tabs={useSessionTabs(props)} value={tab} onChange={onTab} />
        </div>
        <SessionDetailsPanel session={session} events={log} artifacts={props.artifacts} models={props.models} />
      </div>
    </div>
  );
}

function SessionHeader({ session, actions }: Pick<SessionViewProps, "session" | "actions">) {
  return (
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
          <CopyButton text={session.id} label="Copy the id" />
          {session.session_type} · {session.priority} · by {session.created_by.name}{" "}
          <RelativeTime at={session.created_at} />
        </p>
      </div>
      {actions}
    </header>
  );
}

function useSessionTabs(props: SessionViewProps): TabItem[] {
  const { session, events, messageBox, files, checkpoints, tree } = props;
  const now = useNow();
  const log = events.data ?? [];
  const entries = useMemo(() => buildTranscript(events.data ?? []), [events.data]);
  const toolCalls = useMemo(() => entries.filter((entry) => entry.kind === "tool"), [entries]);
  const transcript = useMemo(() => entries.filter(isTranscriptEntry), [entries]);
  const working = session.status === "running" || session.status === "degraded";
  // While the log is read for the first time, the transcript already shows the prompt.
  const failure = !events.data && !events.isPending && (
    <ErrorAlert error={events.error} retry={() => void events.refetch()} />
  );
  const end = session.ended_at ? Date.parse(session.ended_at) : now;
  return [
    {
      id: "transcript",
      title: "Transcript",
      content: failure || (
        <>
          <SessionTranscript prompt={session.initial_prompt} entries={transcript} working={working} />
          {working && messageBox}
        </>
      ),
    },
    { id: "files", title: "Files", content: files },
    { id: "tools", title: "Tools", count: toolCalls.length, content: <ToolCallList toolCalls={toolCalls} /> },
    {
      id: "timeline",
      title: "Timeline",
      content: failure || <SessionTimeline events={log} created={session.created_at} now={end} />,
    },
    { id: "checkpoints", title: "Checkpoints", count: session.checkpoint_count, content: checkpoints },
    { id: "tree", title: "Tree", count: session.child_count, content: tree },
  ];
}

function ToolCallList({ toolCalls }: { toolCalls: readonly Extract<TranscriptEntry, { kind: "tool" }>[] }) {
  if (toolCalls.length === 0) return <EmptyState title="No tool has been used." />;
  return (
    <div className="flex flex-col gap-2 p-3 md:p-4">
      {toolCalls.map((entry) => (
        <ToolCall key={entry.key} entry={entry} />
      ))}
    </div>
  );
}
