"use client";

import Link from "next/link";
import type { ReactNode } from "react";
import type { Event, SessionDetails } from "@/api/schema";
import { formatDuration, formatPercent, shortId } from "@/components/format";
import { FactList, SectionPanel } from "@/components/page-layout";
import { RelativeTime, useNow } from "@/components/relative-time";
import { UsageMeter } from "@/components/usage-meter";
import { environmentPath } from "@/modules/environment/paths";
import { versionPath } from "@/modules/model/names";
import { runnerPath } from "@/modules/runner/paths";
import { statusSpans } from "@/modules/session/timeline";

/** The model that the session asks for, and the version that it was resolved to when an agent took it. */
function SessionModel({ session }: { session: SessionDetails }) {
  const { model_identifier: named, resolved_model: resolved } = session;
  const { name, version, experiment } = resolved ?? {};
  return (
    <>
      <span className="figure text-xs break-all">{named ?? "the agent's own"}</span>
      {name && version && (
        <Link
          href={versionPath(name, version)}
          className="figure block text-xs underline underline-offset-2"
          title={resolved?.model_identifier}
        >
          {name}@{version}
        </Link>
      )}
      {experiment && (
        <Link href={`/experiments/detail/?id=${experiment.id}`} className="block text-xs underline underline-offset-2">
          {experiment.arm} of {experiment.name}
        </Link>
      )}
    </>
  );
}

/** Seconds that the session ran so far. Only these count against its maximum; time in a pause does not. */
function runSeconds(session: SessionDetails, events: readonly Event[], now: number): number {
  const end = session.ended_at ? Date.parse(session.ended_at) : now;
  return (
    statusSpans(events, session.created_at, end)
      .filter(({ status }) => status === "running" || status === "degraded")
      .reduce((sum, span) => sum + span.to - span.from, 0) / 1000
  );
}

export function RunPanel({ session, events }: { session: SessionDetails; events: readonly Event[] }) {
  const seconds = runSeconds(session, events, useNow());
  const figures: [string, string][] = [
    ["Run time", seconds > 0 ? formatDuration(seconds < 10 ? seconds : Math.round(seconds)) : "–"],
    ["Maximum", formatDuration(session.max_duration_seconds)],
    ["Health", formatPercent(session.health_score)],
    ["Retries", `${session.retry_count} of 3`],
  ];
  return (
    <SectionPanel title="Run">
      {seconds > 0 && !session.ended_at && (
        <div className="px-3 pt-3">
          <UsageMeter
            used={Math.round(seconds)}
            limit={session.max_duration_seconds}
            label="Run time used of its maximum"
          />
        </div>
      )}
      <FactList
        items={[
          ["Agent", <SessionAgent key="agent" session={session} />],
          ...environmentFacts(session),
          ["Model", <SessionModel key="model" session={session} />],
          ["Started", session.started_at ? <RelativeTime key="started" at={session.started_at} /> : "not yet"],
          ...figures.map(([name, value]): [string, ReactNode] => [
            name,
            <span key={name} className="figure">
              {value}
            </span>,
          ]),
        ]}
      />
    </SectionPanel>
  );
}

/** Where the session runs: the version of its environment, and the runner that works on it. */
function environmentFacts({ environment, runner_id }: SessionDetails): [string, ReactNode][] {
  const facts: [string, ReactNode][] = [];
  if (environment) {
    const { id, name, version } = environment;
    facts.push([
      "Environment",
      <Link key="environment" href={environmentPath(id, version)} className="underline-offset-2 hover:underline">
        {name} <span className="figure text-xs text-muted">version {version}</span>
      </Link>,
    ]);
  }
  if (runner_id) {
    facts.push([
      "Runner",
      <Link key="runner" href={runnerPath(runner_id)} className="figure text-xs underline-offset-2 hover:underline">
        {shortId(runner_id)}
      </Link>,
    ]);
  }
  return facts;
}

function SessionAgent({ session: { agent } }: { session: SessionDetails }) {
  if (!agent) return "not chosen yet";
  return (
    <Link href={`/agents/detail/?id=${agent.id}`} className="underline-offset-2 hover:underline">
      {agent.name}
    </Link>
  );
}
