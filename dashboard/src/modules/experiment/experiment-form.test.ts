import { expect, test } from "vitest";
import { readExperimentForm } from "./experiment-form";
import { formatShare, GUARDED_METRICS } from "./status";

test("an experiment has the values of the form, without empty fields", () => {
  const form = new FormData();
  form.set("name", " cheaper ");
  form.set("target", "");
  const arms = [
    { key: 1, name: "champion", model: "registry/reviewer@champion", weight: "3" },
    { key: 2, name: "next", model: " registry/reviewer@1.1.0 ", weight: "" },
  ];
  const made = readExperimentForm(form, arms, [{ key: 1, metric: "cost_usd", limit: "0.5", min_sessions: "" }]);
  expect(JSON.parse(JSON.stringify(made))).toEqual({
    name: "cheaper",
    arms: [
      { name: "champion", model: "registry/reviewer@champion", weight: 3 },
      { name: "next", model: "registry/reviewer@1.1.0" },
    ],
    guardrails: [{ metric: "cost_usd", limit: 0.5 }],
  });
});

test("weights are shown as shares, and metrics in their units", () => {
  expect(formatShare(3, [{ weight: 3 }, { weight: 1 }])).toBe("75%");
  expect(GUARDED_METRICS.success_rate.show(0.5)).toBe("50.0%");
  expect(GUARDED_METRICS.duration_seconds.show(90)).toBe("1 m 30 s");
});
