import { expect, test } from "vitest";
import { ApiError, fieldErrors, partErrors } from "./problem";

const refused = new ApiError(422, {
  errors: [
    { field: "network.domains[1]", message: "must be a domain" },
    { field: "mcp_servers[0].variables.A-B", message: "is not the name of a variable" },
    { field: "rules", message: "is too long" },
    { field: "name", message: "is in use" },
  ],
});

test("an error of a part is found at the control for the whole", () => {
  const errorOf = partErrors(refused);
  expect(errorOf("network.domains")).toBe("entry 2: must be a domain");
  expect(errorOf("mcp_servers[0].variables")).toBe("A-B: is not the name of a variable");
  expect(errorOf("rules")).toBe("is too long");
});

test("an error of a field with a longer name is not taken for one of a part", () => {
  const longer = new ApiError(422, { errors: [{ field: "names", message: "are too many" }] });
  expect(partErrors(longer)("name")).toBeUndefined();
  expect(fieldErrors(refused)("network.domains")).toBeUndefined();
  expect(partErrors(new Error("No answer."))("name")).toBeUndefined();
});
