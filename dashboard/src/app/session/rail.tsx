"use client";

import Link from "next/link";
import { useModelsOfSession } from "@/api/queries/models";
import { useArtifacts } from "@/api/queries/sessions";
import type { Event, Session } from "@/api/schema";
import { bytes, count, duration, percent, shortId, usd } from "@/components/format";
import { Meter } from "@/components/meter";
import { Chip, Facts, Panel } from "@/components/page";
import { Sparkline } from "@/components/sparkline";
import { Ago, useNow } from "@/components/time";
import { versionPage } from "@/modules/model/names";
import { spending } from "@/modules/session/events";
import { spans } from "@/modules/session/timeline";
import { tokens } from "@/modules/session/usage";

function Spent({ session, events }: { session: Session; events: readonly Event[] }) {
  const { usage } = session;
  const points = spending(events);
  return (
    <Panel title="Tokens and cost">
      <div className="flex items-end justify-between gap-3 px-3 pt-3">
        <div>
          <p className="figure text-xl leading-none font-semibold">{usd(usage.cost_usd)}</p>
          <p className="mt-1 text-xs text-muted">
            <span className="figure">{count(tokens(usage))}</span> tokens
          </p>
        </div>
        <Sparkline values={points.map((point) => point.tokens)} label="Tokens as they grew" className="h-9 w-28" />
      </div>
      <Facts
        items={[
          [
            "Input",
            <span key="i" className="figure">
              {count(usage.tokens_input)}
            </span>,
          ],
          [
            "Output",
            <span key="o" className="figure">
              {count(usage.tokens_output)}
            </span>,
          ],
          [
            "Reasoning",
            <span key="r" className="figure">
              {count(usage.tokens_reasoning)}
            </span>,
          ],
          [
            "From the cache",
            <span key="c" className="figure">
              {count(usage.tokens_cached)}
            </span>,
          ],
        ]}
      />
    </Panel>
  );
}

/** What it was to run on, and what that led to when it was handed to its agent. */
function RunsOn({ session }: { session: Session }) {
  const { model_identifier: named, resolved_model: resolved } = session;
  const { name, version, experiment } = resolved ?? {};
  return (
    <>
      <span className="figure text-xs break-all">{named ?? "the agent's"}</span>
      {name && version && (
        <Link
          href={versionPage(name, version)}
          className="figure block text-xs underline underline-offset-2"
          title={resolved?.model_identifier}
        >
          {name}@{version}
        </Link>
      )}
      {experiment && (
        <Link href={`/experiment/?id=${experiment.id}`} className="block text-xs underline underline-offset-2">
          {experiment.arm} of {experiment.name}
        </Link>
      )}
    </>
  );
}

function Run({ session, events }: { session: Session; events: readonly Event[] }) {
  const now = useNow();
  const ended = session.ended_at ? Date.parse(session.ended_at) : now;
  // What counts against the maximum: the time that it ran, without the time that it was held.
  const ran = spans(events, session.created_at, ended).filter(
    ({ status }) => status === "running" || status === "degraded",
  );
  const used = ran.reduce((sum, span) => sum + span.to - span.from, 0) / 1000;
  return (
    <Panel title="Run">
      {used > 0 && !session.ended_at && (
        <div className="px-3 pt-3">
          <Meter used={Math.round(used)} limit={session.max_duration_seconds} label="Time used of its maximum" />
        </div>
      )}
      <Facts
        items={[
          [
            "Agent",
            session.agent ? (
              <Link key="a" href={`/agent/?id=${session.agent.id}`} className="underline-offset-2 hover:underline">
                {session.agent.name}
              </Link>
            ) : (
              "not chosen yet"
            ),
          ],
          ["Model", <RunsOn key="m" session={session} />],
          ["Started", session.started_at ? <Ago key="s" at={session.started_at} /> : "not yet"],
          [
            "Ran",
            <span key="l" className="figure">
              {used > 0 ? duration(used < 10 ? used : Math.round(used)) : "–"}
            </span>,
          ],
          [
            "At most",
            <span key="x" className="figure">
              {duration(session.max_duration_seconds)}
            </span>,
          ],
          [
            "Health",
            <span key="h" className="figure">
              {percent(session.health_score)}
            </span>,
          ],
          [
            "Retries",
            <span key="t" className="figure">
              {session.retry_count} of 3
            </span>,
          ],
        ]}
      />
    </Panel>
  );
}

function About({ session }: { session: Session }) {
  const { workspace } = session;
  const link = (id: string) => (
    <Link href={`/session/?id=${id}`} className="figure text-xs underline underline-offset-2">
      {shortId(id)}
    </Link>
  );
  const items: [string, React.ReactNode][] = [];
  if (workspace?.repository)
    items.push([
      "Repository",
      <span key="r" className="figure text-xs break-all">
        {workspace.repository}
      </span>,
    ]);
  if (workspace?.directory)
    items.push([
      "Directory",
      <span key="d" className="figure text-xs break-all">
        {workspace.directory}
      </span>,
    ]);
  if (workspace?.ref)
    items.push([
      "Ref",
      <span key="f" className="figure text-xs">
        {workspace.ref}
      </span>,
    ]);
  if (session.parent_id) items.push(["Parent", link(session.parent_id)]);
  if (session.forked_from) items.push(["Forked from", link(session.forked_from.session_id)]);
  if (items.length === 0 && session.tags.length === 0 && !session.description) return null;
  return (
    <Panel title="About">
      {session.description && <p className="px-3 pt-3 text-[0.8125rem]">{session.description}</p>}
      {items.length > 0 && <Facts items={items} />}
      {session.tags.length > 0 && (
        <div className="flex flex-wrap gap-1 px-3 pb-3 first:pt-3">
          {session.tags.map((tag) => (
            <Link key={tag} href={`/sessions/?tag=${encodeURIComponent(tag)}`}>
              <Chip>#{tag}</Chip>
            </Link>
          ))}
        </div>
      )}
    </Panel>
  );
}

function Made({ id }: { id: string }) {
  const artifacts = useArtifacts(id);
  if (!artifacts.data?.items.length) return null;
  return (
    <Panel title="Made">
      <ul className="p-3 text-[0.8125rem]">
        {artifacts.data.items.map((one) => (
          <li key={one.id} className="flex justify-between gap-3">
            <span className="figure min-w-0 truncate text-xs">{one.path}</span>
            <span className="figure shrink-0 text-xs text-muted">{bytes(one.size)}</span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

/** The versions that were trained on it, or measured by it: its lineage from this end. */
function Trained({ id }: { id: string }) {
  const models = useModelsOfSession(id);
  if (!models.data?.items.length) return null;
  return (
    <Panel title="Models trained on it">
      <ul className="p-3 text-[0.8125rem]">
        {models.data.items.map(({ version, split }) => (
          <li key={version.id} className="flex justify-between gap-3">
            <Link
              href={versionPage(version.name, version.version)}
              className="figure min-w-0 truncate text-xs underline underline-offset-2"
            >
              {version.name}@{version.version}
            </Link>
            {split === "held_out" && <Chip>held out</Chip>}
          </li>
        ))}
      </ul>
    </Panel>
  );
}

export function Rail({ session, events }: { session: Session; events: readonly Event[] }) {
  return (
    <aside aria-label="Figures" className="grid gap-3 sm:grid-cols-2 xl:grid-cols-1">
      <Spent session={session} events={events} />
      <Run session={session} events={events} />
      <About session={session} />
      <Made id={session.id} />
      {session.status === "completed" && <Trained id={session.id} />}
    </aside>
  );
}
