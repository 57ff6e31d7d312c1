import { expect, test } from "vitest";
import { readStartBreakdown } from "./start-phases";

test("the phases of the start are in their order, whatever the order of the report", () => {
  const breakdown = readStartBreakdown({ starting: 400, working: 90_000, claimed: 12, delivering: 80, cloning: 340 });
  expect(breakdown?.start.map(({ phase, duration }) => [phase, duration])).toEqual([
    ["claimed", 12],
    ["cloning", 340],
    ["starting", 400],
  ]);
  expect(breakdown?.total).toBe(752);
  expect(breakdown?.end).toEqual([{ phase: "delivering", duration: 80 }]);
});

test("a session that no runner reported has no breakdown", () => {
  expect([readStartBreakdown(null), readStartBreakdown(undefined), readStartBreakdown({})]).toEqual([null, null, null]);
});

test("a phase that took no measurable time is still listed", () => {
  expect(readStartBreakdown({ claimed: 0 })).toEqual({
    start: [{ phase: "claimed", duration: 0 }],
    total: 0,
    end: [],
  });
});
