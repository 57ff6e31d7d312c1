import { expect, test } from "vitest";
import { readApprovalRequest } from "./approval-request";
import { replacedLines } from "./diff";

test("a command is read as text, or as the words of a program", () => {
  expect(readApprovalRequest({ kind: "execute", command: "npm test" })).toMatchObject({
    kind: "Run a command",
    command: "npm test",
    rest: undefined,
  });
  const { command } = readApprovalRequest({ command: ["bash", "-lc", "echo 'it is' > a.txt"] });
  expect(command).toBe("bash -lc 'echo '\\''it is'\\'' > a.txt'");
});

test("a unified diff and a pair of texts are both read as changed lines", () => {
  const { diffs } = readApprovalRequest({
    kind: "edit",
    paths: ["a.txt", "b.txt"],
    changes: [
      { path: "a.txt", patch: "@@ -1 +1 @@\n-old\n+new\n" },
      { path: "b.txt", old_text: "one\ntwo\n", new_text: "one\n2\n" },
    ],
  });
  expect(diffs.map(({ path, lines }) => [path, lines.map(({ kind, text }) => `${kind} ${text}`)])).toEqual([
    ["a.txt", ["hunk @@ -1 +1 @@", "removed old", "added new"]],
    ["b.txt", ["same one", "removed two", "added 2"]],
  ]);
});

test("a tool without a command or paths is shown with its name and its input", () => {
  const request = readApprovalRequest({ tool: "browse", input: '{"url":"https://example.com"}' });
  expect(request).toMatchObject({ title: "browse", input: '{"url":"https://example.com"}', rest: undefined });
  expect(JSON.parse(readApprovalRequest({ input: { url: "x" } }).rest ?? "")).toEqual({ input: { url: "x" } });
});

test("a detail of an unknown form is shown as it was sent", () => {
  const request = readApprovalRequest({ kind: "teleport", diff: 7, reason: "It is faster." });
  expect(request).toMatchObject({ kind: "teleport", paths: [], diffs: [] });
  expect(JSON.parse(request.rest ?? "")).toEqual({ reason: "It is faster.", diff: 7 });
});

test("a change deep in a text is shown with three lines around it", () => {
  const lines = (middle: string) => [1, 2, 3, 4, 5, middle, 7, 8, 9, 10, 11].join("\n");
  const changed = replacedLines(lines("6"), lines("six\nmore"));
  expect(changed.map(({ kind, text, before, after }) => [kind, text, before, after])).toEqual([
    ["same", "3", 3, 3],
    ["same", "4", 4, 4],
    ["same", "5", 5, 5],
    ["removed", "6", 6, undefined],
    ["added", "six", undefined, 6],
    ["added", "more", undefined, 7],
    ["same", "7", 7, 8],
    ["same", "8", 8, 9],
    ["same", "9", 9, 10],
  ]);
});

test("repeated lines are not counted twice as unchanged", () => {
  const kinds = replacedLines("a\na\n", "a\na\na\n").map(({ kind }) => kind);
  expect(kinds).toEqual(["same", "same", "added"]);
  expect(replacedLines("", "new\n")).toEqual([{ kind: "added", text: "new", after: 1 }]);
});
