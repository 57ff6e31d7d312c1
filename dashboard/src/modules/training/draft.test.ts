import { expect, test } from "vitest";
import { given, newJob, recipe } from "./draft";

function form(fields: Record<string, string>) {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) data.set(name, value);
  return given(data);
}

test("what is left empty is left to the API's defaults", () => {
  expect(recipe(form({ tags: "", model: " ", min_success_rate: "" }))).toEqual({});
});

test("a recipe says what was asked for, and times as the moments that they are", () => {
  const since = "2026-11-01T08:30";
  expect(recipe(form({ tags: "api, nightly,", min_success_rate: "0", since, format: "instruction" }))).toEqual({
    tags: ["api", "nightly"],
    min_success_rate: 0,
    since: new Date(since).toISOString(),
    format: "instruction",
  });
});

test("a job carries its parameters whole, with what only its provider knows", () => {
  const made = newJob(
    form({ base_model: "tiny", target_model_name: "reviewer", epochs: "5", seed: "7", extra: '{"steps": 40}' }),
  );
  expect(made).toMatchObject({ base_model: "tiny", target_model_name: "reviewer", dataset: {} });
  expect(made.parameters).toMatchObject({ epochs: 5, seed: 7, extra: { steps: 40 }, lora_rank: 8, method: "sft" });
});

test("an extra that is no JSON object is refused before anything is sent", () => {
  for (const wrong of ["{", "[1]", "7", "null"]) expect(() => newJob(form({ extra: wrong }))).toThrow(SyntaxError);
});
