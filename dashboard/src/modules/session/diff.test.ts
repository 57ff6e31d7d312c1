import { expect, test } from "vitest";
import { parsePatch } from "./diff";

const PATCH = `diff --git a/x b/x
index 1..2 100644
--- a/x
+++ b/x
@@ -2,3 +2,3 @@ fn
 same
-old
+++ plus plus
 same
\\ No newline at end of file
`;

test("each line of a patch has its old and new line number", () => {
  expect(parsePatch(PATCH)).toEqual([
    { kind: "hunk", text: "@@ -2,3 +2,3 @@ fn" },
    { kind: "same", text: "same", before: 2, after: 2 },
    { kind: "removed", text: "old", before: 3 },
    { kind: "added", text: "++ plus plus", after: 3 },
    { kind: "same", text: "same", before: 4, after: 4 },
    { kind: "note", text: "\\ No newline at end of file" },
  ]);
});

test("a binary change is noted, and an empty patch has no lines", () => {
  expect(parsePatch("diff --git a/i.png b/i.png\nBinary files a/i.png and b/i.png differ\n")).toEqual([
    { kind: "note", text: "Binary files a/i.png and b/i.png differ" },
  ]);
  expect(parsePatch("")).toEqual([]);
});
