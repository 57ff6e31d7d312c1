"use client";

import { ArrowDown, ChevronRight, CircleAlert, CircleCheck, CircleHelp, ShieldX, Wrench } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { ActionButton } from "@/components/action-button";
import { cx } from "@/components/class-names";
import { EmptyState } from "@/components/content-states";
import { RelativeTime } from "@/components/relative-time";
import { StatusBadge } from "@/modules/status/status-badge";
import type { TranscriptEntry } from "./transcript-entries";

const END_MARGIN = 80;

/** Scrolls to new entries while the end of the page is visible, and does not move the page otherwise. */
function useAutoScroll(size: number, working: boolean) {
  const end = useRef<HTMLDivElement>(null);
  const [away, setAway] = useState(false);
  useEffect(() => {
    const look = () => setAway(innerHeight + scrollY < document.documentElement.scrollHeight - END_MARGIN);
    addEventListener("scroll", look, { passive: true });
    return () => removeEventListener("scroll", look);
  }, []);
  const first = useRef(true);
  // biome-ignore lint/correctness/useExhaustiveDependencies: only a new entry scrolls the page
  useEffect(() => {
    if (first.current) first.current = size === 0;
    else if (working && !away) end.current?.scrollIntoView({ block: "end" });
  }, [size]);
  return { end, away, jump: () => end.current?.scrollIntoView({ block: "end", behavior: "smooth" }) };
}

function TranscriptMessage({ entry }: { entry: Extract<TranscriptEntry, { kind: "message" }> }) {
  const person = entry.role === "user";
  const thought = entry.role === "reasoning";
  return (
    <div className={cx("border-l-2 py-0.5 pl-3", person ? "border-accent" : "border-line-strong")}>
      <p className="mb-0.5 flex items-baseline gap-2 text-xs text-muted">
        <span className="font-medium">{person ? entry.who : thought ? "thinking" : entry.who}</span>
        <RelativeTime at={entry.at} className="text-2xs" />
      </p>
      <p className={cx("leading-relaxed break-words whitespace-pre-wrap", thought && "text-muted italic")}>
        {entry.text}
      </p>
    </div>
  );
}

export function ToolCall({ entry, open }: { entry: Extract<TranscriptEntry, { kind: "tool" }>; open?: boolean }) {
  const failed = entry.state === "error" || entry.state === "failed";
  const input = typeof entry.input === "string" ? entry.input : JSON.stringify(entry.input ?? {}, null, 2);
  const lines =
    "figure max-h-80 overflow-auto border-t border-line p-2.5 text-xs leading-relaxed whitespace-pre-wrap break-words";
  return (
    <details open={open} className="group rounded-md border border-line bg-raised">
      <summary className="flex list-none items-center gap-2 px-2.5 py-1.5 text-[0.8125rem]">
        <ChevronRight aria-hidden className="size-3.5 shrink-0 text-muted transition-transform group-open:rotate-90" />
        <Wrench aria-hidden className={cx("size-3.5 shrink-0", failed ? "text-danger" : "text-muted")} />
        <span className="figure shrink-0 font-semibold">{entry.tool}</span>
        <span className="figure min-w-0 flex-1 truncate text-xs text-muted">{entry.title}</span>
        <span className={cx("text-xs", failed ? "text-danger" : "text-muted")}>{entry.state}</span>
        <RelativeTime at={entry.at} className="text-2xs text-muted max-sm:hidden" />
      </summary>
      <pre tabIndex={0} role="region" aria-label="Input" className={lines}>
        {input}
      </pre>
      {entry.output && (
        <pre tabIndex={0} role="region" aria-label="Output" className={lines}>
          {entry.output}
        </pre>
      )}
    </details>
  );
}

function StatusChange({ entry }: { entry: Extract<TranscriptEntry, { kind: "status" }> }) {
  return (
    <p className="flex flex-wrap items-center gap-2 text-xs text-muted">
      <span aria-hidden className="h-px w-4 bg-line-strong" />
      <StatusBadge status={entry.to} />
      <span>
        {entry.reason} · {entry.who}
      </span>
      <RelativeTime at={entry.at} className="text-2xs" />
    </p>
  );
}

function SessionResult({ entry }: { entry: Extract<TranscriptEntry, { kind: "end" }> }) {
  const Icon = entry.good ? CircleCheck : CircleAlert;
  return (
    <div
      className={cx(
        "flex gap-2 rounded-md border p-3",
        entry.good ? "border-line bg-raised" : "border-danger/50 bg-danger-soft",
      )}
    >
      <Icon aria-hidden className={cx("mt-0.5 size-4 shrink-0", entry.good ? "text-good" : "text-danger")} />
      <div className="min-w-0 text-[0.8125rem]">
        <p className="font-medium">{entry.good ? "Result" : "Failed"}</p>
        <p className="break-words whitespace-pre-wrap">{entry.text}</p>
        {entry.remedy && <p className="mt-1 text-muted">{entry.remedy}</p>}
      </div>
    </div>
  );
}

const LOG_COLOURS: Readonly<Record<string, string>> = { error: "text-danger", warning: "text-warning" };

function LogEntry({ entry }: { entry: Extract<TranscriptEntry, { kind: "log" }> }) {
  return (
    <p className={cx("figure text-xs break-words", LOG_COLOURS[entry.level] ?? "text-muted")}>
      [{entry.level}] {entry.code && `${entry.code} `}
      {entry.text}
    </p>
  );
}

/** A connection that the network policy of the session refused. */
function EgressRefusalEntry({ entry }: { entry: Extract<TranscriptEntry, { kind: "egress" }> }) {
  return (
    <div className="flex gap-2 rounded-md border border-line bg-warning-soft p-2.5 text-[0.8125rem]">
      <ShieldX aria-hidden className="mt-0.5 size-4 shrink-0 text-warning" />
      <div className="min-w-0">
        <p className="font-medium">A connection was refused</p>
        <p className="break-words">
          {entry.text} <span className="figure text-2xs text-muted">EGRESS_DENIED</span>
        </p>
      </div>
    </div>
  );
}

function EntryContent({ entry }: { entry: TranscriptEntry }) {
  switch (entry.kind) {
    case "message":
      return <TranscriptMessage entry={entry} />;
    case "tool":
      return <ToolCall entry={entry} />;
    case "status":
      return <StatusChange entry={entry} />;
    case "end":
      return <SessionResult entry={entry} />;
    case "question":
      return (
        <p className="flex gap-2 rounded-md border border-line bg-warning-soft p-2.5 text-[0.8125rem]">
          <CircleHelp aria-hidden className="mt-0.5 size-4 shrink-0 text-warning" />
          <span className="whitespace-pre-wrap">{entry.text}</span>
        </p>
      );
    case "log":
      return <LogEntry entry={entry} />;
    case "egress":
      return <EgressRefusalEntry entry={entry} />;
    default:
      return null;
  }
}

export function SessionTranscript({
  prompt,
  entries,
  working,
}: {
  prompt: string;
  entries: readonly TranscriptEntry[];
  working: boolean;
}) {
  const { end, away, jump } = useAutoScroll(entries.length, working);
  return (
    <div className="flex flex-col gap-3 p-3 md:p-4">
      <details open className="rounded-md border border-line">
        <summary className="label px-3 py-1.5">Prompt</summary>
        <p className="max-h-72 overflow-y-auto px-3 pb-3 leading-relaxed break-words whitespace-pre-wrap">{prompt}</p>
      </details>
      {entries.length === 0 && <EmptyState title="There are no messages yet." />}
      <div role="log" aria-label="Transcript" className="flex flex-col gap-3">
        {entries.map((entry) => (
          <div
            key={`${entry.kind} ${entry.key}`}
            className="[contain-intrinsic-size:auto_60px] [content-visibility:auto]"
          >
            <EntryContent entry={entry} />
          </div>
        ))}
      </div>
      {working && (
        <p className="flex items-center gap-2 text-xs text-muted">
          <span aria-hidden className="size-1.5 animate-[breathe_1.4s_ease-in-out_infinite] rounded-full bg-accent" />{" "}
          The agent is working …
        </p>
      )}
      <div ref={end} className="scroll-mb-4" />
      {away && working && (
        <ActionButton small onClick={jump} className="fixed bottom-4 left-1/2 z-20 -translate-x-1/2 shadow-(--shadow)">
          <ArrowDown aria-hidden className="size-3.5" /> Newest
        </ActionButton>
      )}
    </div>
  );
}
