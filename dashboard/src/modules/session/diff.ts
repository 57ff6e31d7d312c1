/** Parses unified diffs. */

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
