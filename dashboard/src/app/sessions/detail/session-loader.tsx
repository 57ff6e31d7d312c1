"use client";

import type { SessionDetails } from "@/api/schema";
import { EmptyState } from "@/components/content-states";
import { LoadedContent } from "@/components/loaded-content";
import { useTopicSubscription } from "@/hooks/live-connection";
import { useQueryState } from "@/hooks/use-query-state";
import { SessionActionBar } from "@/modules/session/action-bar";
import { CheckpointTable } from "@/modules/session/checkpoint-table";
import { MessageBox } from "@/modules/session/message-box";
import { QuestionBox } from "@/modules/session/question-box";
import { SessionFiles } from "@/modules/session/session-files";
import { SessionTree } from "@/modules/session/tree";
import { useModelsOfSession } from "@/queries/models";
import { useArtifacts, useSession, useSessionEvents } from "@/queries/sessions";
import { useHasPermission } from "@/queries/tenancy";
import { SessionView } from "./session-view";

export function SessionRoute() {
  const [query] = useQueryState();
  const id = query.get("id");
  if (!id) return <EmptyState title="No session is selected.">Choose one from the list of sessions.</EmptyState>;
  return <SessionLoader key={id} id={id} />;
}

function SessionLoader({ id }: { id: string }) {
  useTopicSubscription(`/ws/sessions/${id}`);
  const session = useSession(id);
  return (
    <LoadedContent state={session} rows={10}>
      {(session) => <SessionDetailsLoader session={session} />}
    </LoadedContent>
  );
}

function SessionDetailsLoader({ session }: { session: SessionDetails }) {
  const { id, pause } = session;
  const [query, setQuery] = useQueryState();
  const events = useSessionEvents(id);
  const artifacts = useArtifacts(id);
  const models = useModelsOfSession(id, session.status === "completed");
  const mayWrite = useHasPermission("sessions:write");
  return (
    <SessionView
      session={session}
      events={events}
      artifacts={artifacts.data?.items ?? []}
      models={models.data?.items ?? []}
      tab={query.get("tab") ?? "transcript"}
      onTab={(tab) => setQuery({ tab: tab === "transcript" ? undefined : tab })}
      actions={mayWrite && <SessionActionBar session={session} />}
      answerForm={pause?.question && <QuestionBox id={id} question={pause.question} mayWrite={mayWrite} />}
      messageBox={mayWrite && <MessageBox id={id} />}
      files={<SessionFiles id={id} />}
      checkpoints={<CheckpointTable session={session} mayWrite={mayWrite} />}
      tree={<SessionTree id={id} root={session.root_id} />}
    />
  );
}
