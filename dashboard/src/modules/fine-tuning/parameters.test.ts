import { expect, test } from "vitest";
import { parameterFacts } from "./parameters";

test("given parameters are listed by name and absent ones are left out", () => {
  const given = {
    epochs: 3,
    seed: null,
    target_modules: ["q_proj", "v_proj"],
    extra: { steps: 40, fail: { at: "look" } },
  };
  expect(parameterFacts(given)).toEqual([
    ["epochs", "3"],
    ["target modules", "q_proj, v_proj"],
    ["steps", "40"],
    ["fail", '{"at":"look"}'],
  ]);
  expect(parameterFacts({ extra: null })).toEqual([]);
});
