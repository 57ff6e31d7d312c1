"use client";

import { useMemo } from "react";
import type { Session } from "@/api/schema";
import { needsAnswer } from "@/modules/session/actions";
import { useAgentStats } from "@/queries/agents";
import { useFirstSessions, useSessionStats } from "@/queries/sessions";
import { useQuotas } from "@/queries/tenancy";
import { OverviewView } from "./overview-view";

const ENDED_STATES = "completed,partially_completed,failed,timeout,stopped";

/** Sessions that need a person: those with a question first, then other paused ones, then recoverable failures. */
function needAttention(paused: readonly Session[], failed: readonly Session[]): Session[] {
  const questions = paused.filter(needsAnswer);
  const held = paused.filter((session) => !needsAnswer(session));
  const recoverable = failed.filter((session) => session.recoverable).slice(0, 5);
  return [...questions, ...held, ...recoverable].slice(0, 25);
}

function latestChanges(sessions: readonly Session[]): Session[] {
  const changedAt = (session: Session) => Date.parse(session.status_changed_at);
  return [...sessions].sort((one, other) => changedAt(other) - changedAt(one)).slice(0, 20);
}

export function OverviewLoader() {
  const stats = useSessionStats();
  const agents = useAgentStats();
  const quotas = useQuotas();
  const paused = useFirstSessions({ status: "paused" }, 50);
  const failed = useFirstSessions({ status: "failed,timeout" }, 20);
  const newest = useFirstSessions({}, 50);
  const ended = useFirstSessions({ status: ENDED_STATES }, 200);
  const attention = useMemo(
    () => paused.data && needAttention(paused.data.items, failed.data?.items ?? []),
    [paused.data, failed.data],
  );
  const activity = useMemo(() => newest.data && latestChanges(newest.data.items), [newest.data]);
  return (
    <OverviewView
      stats={stats}
      agents={agents.data}
      monthQuota={quotas.data?.items.find((quota) => quota.name === "tokens_per_month")}
      attention={{ ...paused, data: attention }}
      activity={{ ...newest, data: activity }}
      ended={ended}
    />
  );
}
