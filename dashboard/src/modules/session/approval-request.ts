/** Reads what an approval is asked for. The program of the agent decides which of the details there are. */
import { quoteShellWord } from "@/components/shell-word";
import { type DiffLine, parsePatch, replacedLines } from "./diff";

export interface ApprovalDiff {
  /** The changed file, if the agent names it. */
  readonly path?: string;
  readonly lines: readonly DiffLine[];
}

export interface ApprovalRequest {
  /** What the tool does, in words. */
  readonly kind?: string;
  readonly title?: string;
  readonly command?: string;
  /** The input of the tool, if it has neither a command nor paths. */
  readonly input?: string;
  readonly paths: readonly string[];
  readonly diffs: readonly ApprovalDiff[];
  /** All other details, as JSON. Absent if there are none. */
  readonly rest?: string;
}

type Details = Readonly<Record<string, unknown>>;

/** The kinds of tools of the Agent Client Protocol, as what they do. */
const KINDS: Readonly<Record<string, string>> = {
  read: "Read files",
  edit: "Change files",
  delete: "Delete files",
  move: "Move files",
  search: "Search files",
  execute: "Run a command",
  think: "Think",
  fetch: "Use the network",
  other: "Use a tool",
};

const KNOWN = new Set(["kind", "title", "tool", "command", "input", "paths", "path", "changes", "diff"]);

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function readCommand(value: unknown): string | undefined {
  if (Array.isArray(value)) return text(value.map((word) => quoteShellWord(String(word))).join(" "));
  return text(value);
}

function readPaths({ paths, path }: Details): string[] {
  const all: unknown[] = Array.isArray(paths) ? paths : [paths ?? path];
  return all.map(text).filter((one) => one !== undefined);
}

function readDiff(value: unknown): ApprovalDiff[] {
  if (typeof value === "string") return value === "" ? [] : [{ lines: parsePatch(value) }];
  if (typeof value !== "object" || value === null) return [];
  const diff = value as Details;
  const path = text(diff.path);
  const patch = text(diff.patch) ?? text(diff.diff);
  if (patch !== undefined) return [{ path, lines: parsePatch(patch) }];
  const after = diff.new_text ?? diff.newText;
  if (typeof after !== "string") return [];
  return [{ path, lines: replacedLines(text(diff.old_text ?? diff.oldText) ?? "", after) }];
}

function readDiffs({ changes, diff }: Details): ApprovalDiff[] {
  const value = changes ?? diff;
  return Array.isArray(value) ? value.flatMap(readDiff) : readDiff(value);
}

export function readApprovalRequest(details: Details): ApprovalRequest {
  const kind = text(details.kind);
  const diffs = readDiffs(details);
  const isRest = ([name, value]: [string, unknown]) =>
    !KNOWN.has(name) ||
    (name === "input" && typeof value !== "string") ||
    (diffs.length === 0 && (name === "changes" || name === "diff"));
  const rest = Object.fromEntries(Object.entries(details).filter(isRest));
  return {
    kind: kind && (KINDS[kind] ?? kind),
    title: text(details.title) ?? text(details.tool),
    command: readCommand(details.command),
    input: text(details.input),
    paths: readPaths(details),
    diffs,
    rest: Object.keys(rest).length > 0 ? JSON.stringify(rest, null, 2) : undefined,
  };
}
