import { expect, test } from "vitest";
import { axisTicks } from "./axis-ticks";

test("ticks are round numbers that enclose the range", () => {
  expect(axisTicks(0, 1)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
  expect(axisTicks(0.37, 2.31)).toEqual([0, 0.5, 1, 1.5, 2, 2.5]);
  expect(axisTicks(-0.12, 0.08, 4)).toEqual([-0.15, -0.1, -0.05, 0, 0.05, 0.1]);
});

test("a range without width still has ticks", () => {
  for (const at of [0, 2, -3, 0.0001]) {
    const all = axisTicks(at, at);
    expect(all.length).toBeGreaterThan(1);
    expect(Math.min(...all)).toBeLessThanOrEqual(at);
    expect(Math.max(...all)).toBeGreaterThanOrEqual(at);
  }
});
