import { expect, test } from "vitest";
import { formReader, readJobForm, readRecipe } from "./job-form";

function form(fields: Record<string, string>) {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) data.set(name, value);
  return formReader(data);
}

test("empty fields are not sent, so that the API's defaults apply", () => {
  expect(readRecipe(form({ tags: "", model: " ", min_success_rate: "" }))).toEqual({});
});

test("a recipe has the values of the form, with times in UTC", () => {
  const since = "2026-11-01T08:30";
  expect(readRecipe(form({ tags: "api, nightly,", min_success_rate: "0", since, format: "instruction" }))).toEqual({
    tags: ["api", "nightly"],
    min_success_rate: 0,
    since: new Date(since).toISOString(),
    format: "instruction",
  });
});

test("a job has all parameters, including those of its provider", () => {
  const made = readJobForm(
    form({ base_model: "tiny", target_model_name: "reviewer", epochs: "5", seed: "7", extra: '{"steps": 40}' }),
  );
  expect(made).toMatchObject({ base_model: "tiny", target_model_name: "reviewer", dataset: {} });
  expect(made.parameters).toMatchObject({ epochs: 5, seed: 7, extra: { steps: 40 }, lora_rank: 8, method: "sft" });
});

test("extra parameters must be a JSON object", () => {
  for (const wrong of ["{", "[1]", "7", "null"]) expect(() => readJobForm(form({ extra: wrong }))).toThrow(SyntaxError);
});
