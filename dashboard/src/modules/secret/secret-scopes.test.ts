import { expect, test } from "vitest";
import { environment, secret } from "@/testing/fleet-fixtures";
import { scopeChoices, scopePath, scopeTitle, secretNames } from "./secret-scopes";

const BACKEND = environment({ id: "e1", name: "backend" });

test("leads write for the tenant and its environments, and people for themselves", () => {
  const paths = (isLead: boolean, isPerson: boolean) =>
    scopeChoices([BACKEND], { isLead, isPerson }).map(({ path }) => path);
  expect(paths(true, true)).toEqual(["tenant", "e1", "user"]);
  expect(paths(false, true)).toEqual(["user"]);
  // A key of the tenant belongs to no person.
  expect(paths(true, false)).toEqual(["tenant", "e1"]);
  expect(paths(false, false)).toEqual([]);
});

test("the address of a secret names an environment by its id", () => {
  const own = secret({ scope: "environment", environment_id: "e1" });
  expect([scopePath(secret()), scopePath(own), scopePath(secret({ scope: "user" }))]).toEqual(["tenant", "e1", "user"]);
  expect([scopeTitle(own, [BACKEND]), scopeTitle(own, [])]).toEqual(["environment backend", "an environment"]);
});

test("the secrets of another environment are not offered", () => {
  const all = [
    secret({ name: "B" }),
    secret({ name: "A", scope: "user" }),
    secret({ name: "B", scope: "environment", environment_id: "e1" }),
    secret({ name: "C", scope: "environment", environment_id: "e2" }),
  ];
  expect([secretNames(all, "e1"), secretNames(all, "e2"), secretNames(all)]).toEqual([
    ["A", "B"],
    ["A", "B", "C"],
    ["A", "B"],
  ]);
});
