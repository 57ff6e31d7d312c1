import { expect, test } from "vitest";
import { NO_ENVIRONMENT, readSessionForm } from "./session-form";

function read(environment?: string) {
  const form = new FormData();
  form.set("title", "Mend fizz");
  if (environment !== undefined) form.set("environment", environment);
  return readSessionForm(form, true);
}

test("a form distinguishes the default environment, none, and a named one", () => {
  expect(read("").environment).toBeUndefined();
  expect(read(undefined).environment).toBeUndefined();
  expect(read(NO_ENVIRONMENT).environment).toBe("");
  expect(read("backend").environment).toBe("backend");
});
