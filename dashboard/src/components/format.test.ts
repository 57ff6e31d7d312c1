import { expect, test } from "vitest";
import { formatCompact, formatDuration, formatRelativeTime, formatUsd } from "./format";

test("relative times use the largest fitting unit", () => {
  const now = Date.parse("2026-11-22T12:00:00Z");
  const at = (seconds: number) => formatRelativeTime(now + seconds * 1000, now);
  expect([at(0), at(-12), at(-125), at(-7300), at(-90_000), at(3700)]).toEqual([
    "now",
    "12 s ago",
    "2 min ago",
    "2 h ago",
    "1 d ago",
    "in 1 h",
  ]);
});

test("durations, sums and large numbers are short and not misleading", () => {
  expect([
    formatDuration(0.84),
    formatDuration(9.3),
    formatDuration(61),
    formatDuration(7800),
    formatDuration(200_000),
  ]).toEqual(["840 ms", "9.3 s", "1 m 01 s", "2 h 10 m", "2 d 7 h"]);
  expect([formatUsd("0"), formatUsd("0.0011"), formatUsd("3.456"), formatUsd("1234.5")]).toEqual([
    "$0",
    "$0.0011",
    "$3.46",
    "$1,235",
  ]);
  expect([formatCompact(999), formatCompact(4250), formatCompact(1_300_000)]).toEqual(["999", "4.3k", "1.3M"]);
});
