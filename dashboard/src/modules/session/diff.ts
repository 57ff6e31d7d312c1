/** Parses unified diffs, and compares two texts. */

export interface DiffLine {
  readonly kind: "hunk" | "added" | "removed" | "same" | "note";
  readonly text: string;
  readonly before?: number;
  readonly after?: number;
}

const HUNK = /^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@/;
const HEAD = /^(diff |index |--- |\+\+\+ |new file|deleted file|old mode|new mode|similarity|rename |Binary )/;

export function parsePatch(patch: string): DiffLine[] {
  const result: DiffLine[] = [];
  let [before, after] = [0, 0];
  let within = false;
  for (const text of patch.replace(/\n$/, "").split("\n")) {
    const hunk = HUNK.exec(text);
    if (hunk) {
      [before, after] = [Number(hunk[1]), Number(hunk[2])];
      within = true;
      result.push({ kind: "hunk", text });
    } else if (!within) {
      if (HEAD.test(text)) {
        if (text.startsWith("Binary ")) result.push({ kind: "note", text });
      } else if (text) result.push({ kind: "note", text });
    } else if (text.startsWith("+")) result.push({ kind: "added", text: text.slice(1), after: after++ });
    else if (text.startsWith("-")) result.push({ kind: "removed", text: text.slice(1), before: before++ });
    else if (text.startsWith("\\")) result.push({ kind: "note", text });
    else if (text.startsWith("diff ")) within = false;
    else result.push({ kind: "same", text: text.slice(1), before: before++, after: after++ });
  }
  return result;
}

/** How many unchanged lines are shown before and after a change. */
const CONTEXT_LINES = 3;

function textLines(text: string): string[] {
  if (text === "") return [];
  return text.replace(/\n$/, "").split("\n");
}

/** The lines between the common beginning and the common end of two texts as removed and added, with some context. */
export function replacedLines(before: string, after: string): DiffLine[] {
  const [old, now] = [textLines(before), textLines(after)];
  const shortest = Math.min(old.length, now.length);
  let begin = 0;
  while (begin < shortest && old[begin] === now[begin]) begin++;
  let end = 0;
  while (end < shortest - begin && old.at(-1 - end) === now.at(-1 - end)) end++;
  const shift = now.length - old.length;
  const same = (from: number, to: number, offset = 0) =>
    old.slice(from, to).map((text, index): DiffLine => {
      const before = from + index + 1;
      return { kind: "same", text, before, after: before + offset };
    });
  return [
    ...same(Math.max(0, begin - CONTEXT_LINES), begin),
    ...old
      .slice(begin, old.length - end)
      .map((text, index): DiffLine => ({ kind: "removed", text, before: begin + index + 1 })),
    ...now
      .slice(begin, now.length - end)
      .map((text, index): DiffLine => ({ kind: "added", text, after: begin + index + 1 })),
    ...same(old.length - end, Math.min(old.length, old.length - end + CONTEXT_LINES), shift),
  ];
}
