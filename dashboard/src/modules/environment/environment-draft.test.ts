import { expect, test } from "vitest";
import { environment } from "@/testing/fleet-fixtures";
import {
  BLANK_ENVIRONMENT,
  changedFields,
  draftErrors,
  draftOfEnvironment,
  readEnvironmentDraft,
} from "./environment-draft";

const FULL = environment({
  is_default: true,
  repositories: [
    { url: "https://git.example.com/app.git", ref: "main" },
    { url: "https://git.example.com/lib.git", path: "libs/core" },
  ],
  setup: { script: "npm ci\n", timeout_seconds: 60 },
  variables: { A: "1", B: "x=y" },
  secrets: ["NPM_TOKEN"],
  network: { setup: "allowlist", agent: "none", domains: ["*.example.com", "example.org"] },
  mcp_servers: [
    { name: "docs", url: "https://docs.example.com/mcp", headers: { "X-Team": "platform" } },
    { name: "db", command: "db-mcp", arguments: ["--read-only"], variables: { URL: "postgres://db?a=b" } },
  ],
  rules: "Be brief.",
  cpu: 0.5,
  memory_mb: 2048,
  minimum_isolation: "sandbox",
  agent: { program: "claude-code", permissions: { execute: "ask", default: "allow" } },
});

test("an environment that is read into the form and back is the same", () => {
  const { id, version, created_by, created_at, updated_at, ...sent } = FULL;
  expect(JSON.parse(JSON.stringify(readEnvironmentDraft(draftOfEnvironment(FULL))))).toEqual(sent);
});

test("an untouched form changes nothing, and a change sends only its field", () => {
  const before = readEnvironmentDraft(draftOfEnvironment(FULL));
  expect(changedFields(before, readEnvironmentDraft(draftOfEnvironment(FULL)))).toEqual({});
  const draft = { ...draftOfEnvironment(FULL), script: "  ", cpu: "", domains: "example.org\n\n *.example.com " };
  expect(changedFields(before, readEnvironmentDraft(draft))).toEqual({
    setup: null,
    cpu: null,
    network: { setup: "allowlist", agent: "none", domains: ["example.org", "*.example.com"] },
  });
});

test("a blank form with a name is an environment with the defaults", () => {
  expect(readEnvironmentDraft({ ...BLANK_ENVIRONMENT, name: " backend " })).toMatchObject({
    name: "backend",
    setup: null,
    agent: null,
    network: { setup: "open", agent: "none", domains: [] },
    minimum_isolation: "none",
  });
});

test("names that are there twice are refused instead of one being lost", () => {
  const variables = [
    { key: 1, name: "A", value: "1" },
    { key: 2, name: "A ", value: "2" },
  ];
  expect(Object.keys(draftErrors({ ...BLANK_ENVIRONMENT, variables }))).toEqual(["variables.A"]);
  const server = { key: 1, name: "db", command: "db", arguments: "", url: "https://db.example.com", headers: "" };
  const errors = (more: object) =>
    draftErrors({ ...BLANK_ENVIRONMENT, servers: [{ ...server, kind: "url", variables: [], ...more }] });
  expect(errors({ kind: "command", variables })).toHaveProperty(["mcp_servers[0].variables.A"]);
  expect(errors({ headers: "X-Team: platform\n\nX-Trace: a: b\n" })).toEqual({});
  expect(errors({ headers: "X-Team: platform\nwrong" })["mcp_servers[0].headers"]).toContain("Line 2");
  expect(errors({ headers: "A: 1\nA: 2" })["mcp_servers[0].headers"]).toContain("repeats the name A");
});
