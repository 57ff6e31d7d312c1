"use client";

import Link from "next/link";
import { type ReactNode, useMemo } from "react";
import type { Artifact, Event, SessionDetails, TrainedOnSession } from "@/api/schema";
import { formatBytes, formatCount, formatUsd, shortId } from "@/components/format";
import { FactList, LabelChip, SectionPanel } from "@/components/page-layout";
import { SparklineChart } from "@/components/sparkline-chart";
import { versionPath } from "@/modules/model/names";
import { egressRefusals } from "@/modules/session/egress-refusals";
import { readStartBreakdown } from "@/modules/session/start-phases";
import { usageHistory } from "@/modules/session/transcript-entries";
import { billedTokens } from "@/modules/session/usage";
import { EgressPanel } from "./egress-panel";
import { RunPanel } from "./run-panel";
import { StartPanel } from "./start-panel";

function UsagePanel({ session, events }: { session: SessionDetails; events: readonly Event[] }) {
  const { usage } = session;
  const points = usageHistory(events);
  const counts: [string, number][] = [
    ["Input", usage.tokens_input],
    ["Output", usage.tokens_output],
    ["Reasoning", usage.tokens_reasoning],
    ["Cached", usage.tokens_cached],
    ...(usage.claimed ? [["Claimed, not booked", usage.claimed.tokens] satisfies [string, number]] : []),
  ];
  return (
    <SectionPanel title="Tokens and cost">
      <div className="flex items-end justify-between gap-3 px-3 pt-3">
        <div>
          <p className="figure text-xl leading-none font-semibold">{formatUsd(usage.cost_usd)}</p>
          <p className="mt-1 text-xs text-muted">
            <span className="figure">{formatCount(billedTokens(usage))}</span> tokens
          </p>
        </div>
        <SparklineChart values={points.map((point) => point.tokens)} label="Tokens over time" className="h-9 w-28" />
      </div>
      <FactList
        items={counts.map(([name, count]) => [
          name,
          <span key={name} className="figure">
            {formatCount(count)}
          </span>,
        ])}
      />
    </SectionPanel>
  );
}

function SessionLink({ id }: { id: string }) {
  return (
    <Link href={`/sessions/detail/?id=${id}`} className="figure text-xs underline underline-offset-2">
      {shortId(id)}
    </Link>
  );
}

function aboutFacts({ workspace, parent_id, forked_from }: SessionDetails): [string, ReactNode][] {
  const texts: [string, string | null | undefined][] = [
    ["Repository", workspace?.repository],
    ["Directory", workspace?.directory],
    ["Ref", workspace?.ref],
  ];
  const facts = texts.flatMap(([name, text]): [string, ReactNode][] => {
    if (!text) return [];
    const value = (
      <span key={name} className="figure text-xs break-all">
        {text}
      </span>
    );
    return [[name, value]];
  });
  if (parent_id) facts.push(["Parent", <SessionLink key="parent" id={parent_id} />]);
  if (forked_from) facts.push(["Forked from", <SessionLink key="fork" id={forked_from.session_id} />]);
  return facts;
}

function AboutPanel({ session }: { session: SessionDetails }) {
  const facts = aboutFacts(session);
  if (facts.length === 0 && session.tags.length === 0 && !session.description) return null;
  return (
    <SectionPanel title="About">
      {session.description && <p className="px-3 pt-3 text-[0.8125rem]">{session.description}</p>}
      {facts.length > 0 && <FactList items={facts} />}
      {session.tags.length > 0 && (
        <div className="flex flex-wrap gap-1 px-3 pb-3 first:pt-3">
          {session.tags.map((tag) => (
            <Link key={tag} href={`/sessions/?tag=${encodeURIComponent(tag)}`}>
              <LabelChip>#{tag}</LabelChip>
            </Link>
          ))}
        </div>
      )}
    </SectionPanel>
  );
}

function ArtifactPanel({ artifacts }: { artifacts: readonly Artifact[] }) {
  return (
    <SectionPanel title="Artifacts">
      <ul className="p-3 text-[0.8125rem]">
        {artifacts.map((artifact) => (
          <li key={artifact.id} className="flex justify-between gap-3">
            <span className="figure min-w-0 truncate text-xs">{artifact.path}</span>
            <span className="figure shrink-0 text-xs text-muted">{formatBytes(artifact.size)}</span>
          </li>
        ))}
      </ul>
    </SectionPanel>
  );
}

function TrainedModelPanel({ models }: { models: readonly TrainedOnSession[] }) {
  return (
    <SectionPanel title="Models trained on it">
      <ul className="p-3 text-[0.8125rem]">
        {models.map(({ version, split }) => (
          <li key={version.id} className="flex justify-between gap-3">
            <Link
              href={versionPath(version.name, version.version)}
              className="figure min-w-0 truncate text-xs underline underline-offset-2"
            >
              {version.name}@{version.version}
            </Link>
            {split === "held_out" && <LabelChip>held out</LabelChip>}
          </li>
        ))}
      </ul>
    </SectionPanel>
  );
}

interface SessionDetailsPanelProps {
  session: SessionDetails;
  events: readonly Event[];
  artifacts: readonly Artifact[];
  /** The versions that were trained on the session, or evaluated with it. */
  models: readonly TrainedOnSession[];
}

export function SessionDetailsPanel({ session, events, artifacts, models }: SessionDetailsPanelProps) {
  const breakdown = readStartBreakdown(session.start_breakdown_ms);
  const refusals = useMemo(() => egressRefusals(events), [events]);
  return (
    <aside aria-label="Details" className="grid gap-3 sm:grid-cols-2 xl:grid-cols-1">
      <UsagePanel session={session} events={events} />
      <RunPanel session={session} events={events} />
      {breakdown && <StartPanel breakdown={breakdown} />}
      {refusals.length > 0 && <EgressPanel refusals={refusals} />}
      <AboutPanel session={session} />
      {artifacts.length > 0 && <ArtifactPanel artifacts={artifacts} />}
      {models.length > 0 && <TrainedModelPanel models={models} />}
    </aside>
  );
}
