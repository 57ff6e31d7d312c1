import { expect, test } from "vitest";
import { ticks } from "./scale";

test("ticks are round, and the range lies between the first and the last", () => {
  expect(ticks(0, 1)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
  expect(ticks(0.37, 2.31)).toEqual([0, 0.5, 1, 1.5, 2, 2.5]);
  expect(ticks(-0.12, 0.08, 4)).toEqual([-0.15, -0.1, -0.05, 0, 0.05, 0.1]);
});

test("a range without any width still has a place on the chart", () => {
  for (const at of [0, 2, -3, 0.0001]) {
    const all = ticks(at, at);
    expect(all.length).toBeGreaterThan(1);
    expect(Math.min(...all)).toBeLessThanOrEqual(at);
    expect(Math.max(...all)).toBeGreaterThanOrEqual(at);
  }
});
