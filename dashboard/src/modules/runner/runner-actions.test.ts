import { expect, test } from "vitest";
import { runner } from "@/testing/fleet-fixtures";
import { registeredSince, startCommand } from "./enrolment";
import { allowedRunnerActions, consequence } from "./runner-actions";

test("a runner is resumed only if a person drains it", () => {
  expect(allowedRunnerActions(runner({ state: "active", drain_requested: false }))).toEqual(["drain", "remove"]);
  expect(allowedRunnerActions(runner({ state: "draining", drain_requested: true }))).toEqual(["resume", "remove"]);
  // It drains by itself, for example because its machine shuts down.
  expect(allowedRunnerActions(runner({ state: "draining", drain_requested: false }))).toEqual(["drain", "remove"]);
});

test("the confirmation says what happens to the sessions of a runner", () => {
  expect(consequence("drain", { busy: 0 })).toBe("It takes no new ones until it is resumed.");
  expect(consequence("drain", { busy: 3 })).toContain("finishes its 3 sessions");
  expect(consequence("remove", { busy: 1 })).toContain("loses its session, which");
  expect(consequence("remove", { busy: 0 })).not.toContain("session");
});

test("only a live runner of the pool that is newer than the enrolment has registered", () => {
  const enrolment = { pool: "build-farm", created_at: "2026-11-30T10:00:00Z" };
  const late = { pool: "build-farm", created_at: "2026-11-30T10:00:05Z" };
  const names = registeredSince(enrolment, [
    runner({ ...late, name: "new" }),
    runner({ ...late, name: "gone", state: "offline" }),
    runner({ ...late, name: "elsewhere", pool: "other" }),
    runner({ ...late, name: "older", created_at: "2026-11-30T09:59:59Z" }),
  ]).map(({ name }) => name);
  expect(names).toEqual(["new"]);
});

test("the command passes the token in the environment, quoted where needed", () => {
  expect(startCommand("https://ioc.example.com", "iocr_live_7_s3cret")).toBe(
    'IOC_URL=https://ioc.example.com IOC_RUNNER_TOKEN=iocr_live_7_s3cret ioc-runner start --name "$(hostname)"',
  );
  expect(startCommand("https://ioc.example.com", "a'b $c")).toContain("IOC_RUNNER_TOKEN='a'\\''b $c'");
});
