import { expect, test } from "vitest";
import { compact, duration, relative, usd } from "./format";

test("times are said as people say them", () => {
  const now = Date.parse("2026-11-22T12:00:00Z");
  const at = (seconds: number) => relative(now + seconds * 1000, now);
  expect([at(0), at(-12), at(-125), at(-7300), at(-90_000), at(3700)]).toEqual([
    "now",
    "12 s ago",
    "2 min ago",
    "2 h ago",
    "1 d ago",
    "in 1 h",
  ]);
});

test("lengths, sums and large figures stay short and true", () => {
  expect([duration(0.84), duration(9.3), duration(61), duration(7800), duration(200_000)]).toEqual([
    "840 ms",
    "9.3 s",
    "1 m 01 s",
    "2 h 10 m",
    "2 d 7 h",
  ]);
  expect([usd("0"), usd("0.0011"), usd("3.456"), usd("1234.5")]).toEqual(["$0", "$0.0011", "$3.46", "$1,235"]);
  expect([compact(999), compact(4250), compact(1_300_000)]).toEqual(["999", "4.3k", "1.3M"]);
});
