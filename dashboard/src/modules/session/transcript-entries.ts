import type { Event } from "@/api/schema";
import { readEgressRefusal } from "./egress-refusals";

/** An entry of the transcript. The updates of a growing message part are one entry. */
export type TranscriptEntry =
  | { kind: "message"; key: string; role: string; text: string; at: string; who: string }
  | {
      kind: "tool";
      key: string;
      tool: string;
      state: string;
      title: string;
      input: unknown;
      output: string;
      at: string;
    }
  | { kind: "status"; key: string; from: string; to: string; reason: string; at: string; who: string }
  | { kind: "question"; key: string; text: string; at: string }
  | { kind: "log"; key: string; level: string; text: string; code: string; at: string }
  | { kind: "egress"; key: string; text: string; at: string }
  | { kind: "end"; key: string; good: boolean; text: string; remedy: string; at: string }
  | { kind: "note"; key: string; text: string; at: string; who: string };

function text(value: unknown): string {
  return typeof value === "string" ? value : value == null ? "" : JSON.stringify(value);
}

function inner(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function readLogLine(payload: Record<string, unknown>, key: string, at: string): TranscriptEntry {
  const [code, message] = [text(payload.code), text(payload.message)];
  const refusal = readEgressRefusal(code, message);
  if (refusal !== null) return { kind: "egress", key, text: refusal, at };
  return { kind: "log", key, level: text(payload.level), text: message, code, at };
}

function readEvent(event: Event): TranscriptEntry | null {
  const { at, seq } = event;
  const payload: Record<string, unknown> = { ...event.payload };
  const who = event.actor.name;
  const key = String(seq);
  switch (event.type) {
    case "session.message":
      return {
        kind: "message",
        key: text(payload.part) || key,
        role: text(payload.role),
        text: text(payload.text),
        at,
        who,
      };
    case "session.tool":
      return {
        kind: "tool",
        key: text(payload.part) || key,
        tool: text(payload.tool),
        state: text(payload.state),
        title: text(payload.title),
        input: payload.input,
        output: text(payload.output),
        at,
      };
    case "session.status_changed":
      return {
        kind: "status",
        key,
        from: text(payload.from),
        to: text(payload.to),
        reason: text(payload.reason),
        at,
        who,
      };
    case "session.question":
      return { kind: "question", key, text: text(payload.text), at };
    case "session.log":
      return readLogLine(payload, key, at);
    case "session.completed":
      return {
        kind: "end",
        key,
        good: true,
        text: text(inner(payload.result).text) || "The agent has finished.",
        remedy: "",
        at,
      };
    case "session.failed": {
      const error = inner(payload.error);
      return {
        kind: "end",
        key,
        good: false,
        text: text(error.message) || "The session failed.",
        remedy: text(error.remedy),
        at,
      };
    }
    case "session.created":
      return { kind: "note", key, text: "created the session", at, who };
    case "session.checkpoint_created":
      return { kind: "note", key, text: `checkpoint ${text(payload.sequence)} (${text(payload.cause)})`, at, who };
    case "session.file_changed":
      return { kind: "note", key, text: `changed ${text(payload.path)}`, at, who };
    case "session.artifact":
      return { kind: "note", key, text: `made ${text(payload.path)}`, at, who };
    case "session.updated":
      return {
        kind: "note",
        key,
        text: `changed ${Object.keys(inner(payload.changed)).join(", ") || "the session"}`,
        at,
        who,
      };
    default:
      return null;
  }
}

/** Builds the transcript from the log. A growing part stays where it began, with its latest content. */
export function buildTranscript(events: readonly Event[]): TranscriptEntry[] {
  const entries = new Map<string, TranscriptEntry>();
  for (const event of events) {
    const entry = readEvent(event);
    if (!entry) continue;
    const before = entries.get(`${entry.kind} ${entry.key}`);
    entries.set(`${entry.kind} ${entry.key}`, before ? { ...entry, at: before.at } : entry);
  }
  return [...entries.values()];
}

/** Whether an entry is part of the transcript. The others appear in the timeline alone. */
export function isTranscriptEntry(entry: TranscriptEntry): boolean {
  return entry.kind !== "note";
}

/** Tokens and cost over time. */
export function usageHistory(events: readonly Event[]): { at: string; cost: number; tokens: number }[] {
  return events
    .filter((event) => event.type === "session.usage")
    .map(({ at, payload }) => ({
      at,
      cost: Number(payload.cost_usd) || 0,
      tokens:
        (Number(payload.tokens_input) || 0) +
        (Number(payload.tokens_output) || 0) +
        (Number(payload.tokens_reasoning) || 0),
    }));
}
