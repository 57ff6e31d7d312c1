import { render, screen } from "@testing-library/react";
import { expect, test } from "vitest";
import type { ExperimentResults } from "@/api/schema";
import { ConfidenceSequences, describeComparison, SampleRatioAlert } from "./results";

const arm = (name: string, rate: number | null) => ({
  name,
  weight: 1,
  stopped: false,
  trees: 40,
  sessions: 40,
  success_rate: rate,
  success_interval: { low: 0.3, high: 0.7, confidence: 0.95 },
});
const RESULTS: ExperimentResults = {
  experiment_id: "e",
  status: "running",
  arms: [arm("control", 0.5), arm("variant", null)],
  comparisons: [
    { a: "control", b: "variant", pairs: 40, difference: 0.1, interval: { low: -0.05, high: 0.25, confidence: 0.95 } },
  ],
  sample_ratio: { p_value: 0.8, mismatch: false },
  warnings: [],
};

test("intervals are shown as numbers as well as bars", () => {
  render(<ConfidenceSequences results={RESULTS} />);
  const rows = screen.getAllByRole("listitem").map((row) => row.textContent);
  expect(rows[0]).toContain("50% [30%, 70%]");
  expect(rows[1]).toContain("nothing yet [30%, 70%]");
  expect(rows[2]).toContain("+10 [-5, +25]");
  expect(rows[3]).toContain("Neither arm is known to be better yet.");
});

test("a comparison is decided only when the API names the better arm", () => {
  const [one] = RESULTS.comparisons;
  if (!one) throw new Error("there is one");
  expect(describeComparison({ ...one, better: "variant" })).toBe("variant is better than control.");
  expect(describeComparison({ ...one, better: "control" })).toBe("control is better than variant.");
  expect(describeComparison({ ...one, pairs: 0 })).toBe("No pair of trees has ended yet.");
});

test("only a mismatch of the sample ratio raises an alert", () => {
  render(<SampleRatioAlert results={RESULTS} />);
  expect(screen.queryByRole("alert")).toBeNull();
  render(<SampleRatioAlert results={{ ...RESULTS, sample_ratio: { p_value: 0.00002, mismatch: true } }} />);
  expect(screen.getByRole("alert").textContent).toContain("nothing can be concluded");
});
