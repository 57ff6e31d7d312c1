import { QueryClient } from "@tanstack/react-query";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { QueryInvalidator } from "./query-invalidator";

const queries = new QueryClient();
const asked = vi.spyOn(queries, "invalidateQueries");
const frame = (type: string, session_id?: string, payload = {}) => ({ type, session_id, payload, timestamp: "" });
const keys = () => asked.mock.calls.map(([filter]) => (filter?.queryKey ?? ["everything"]).join("/"));

beforeEach(() => {
  vi.useFakeTimers();
  asked.mockClear();
});

afterEach(() => vi.useRealTimers());

test("a thousand frames of one session cause one reading", async () => {
  const renewal = new QueryInvalidator(queries);
  for (let at = 0; at < 1000; at++) renewal.handleFrame(frame("session.message", "1"));
  await vi.advanceTimersByTimeAsync(500);
  expect(keys()).toEqual(["sessions/one/1", "sessions/events/1"]);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(keys()).toHaveLength(2);
});

test("a busy minute stays far below the rate limit of a key", async () => {
  const renewal = new QueryInvalidator(queries);
  for (let at = 0; at < 600; at++) {
    renewal.handleFrame(frame("session.usage", "1"));
    await vi.advanceTimersByTimeAsync(100);
  }
  expect(asked.mock.calls.length).toBeLessThan(400);
  expect(keys()).toContain("sessions/list");
  renewal.stop();
});

test("agent frames and a resync read the affected data again", async () => {
  const renewal = new QueryInvalidator(queries);
  renewal.handleFrame(frame("agent.heartbeat"));
  await vi.advanceTimersByTimeAsync(2000);
  expect(keys()).toEqual(["agents"]);
  renewal.invalidateAll();
  expect(keys().at(-1)).toBe("everything");
});

test("frames of a training job renew its curve and log, and the lists once", async () => {
  const renewal = new QueryInvalidator(queries);
  for (let at = 0; at < 100; at++) renewal.handleFrame(frame("training.progress", undefined, { job_id: "7" }));
  await vi.advanceTimersByTimeAsync(500);
  expect(keys()).toEqual(["training/one/7", "training/events/7", "training/curve/7"]);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(keys().slice(3)).toEqual(["training/list"]);
});

test("model frames renew the registry", async () => {
  const renewal = new QueryInvalidator(queries);
  renewal.handleFrame(frame("model.registered", undefined, { name: "reviewer" }));
  renewal.handleFrame(frame("model.alias_changed", undefined, { name: "reviewer" }));
  await vi.advanceTimersByTimeAsync(2000);
  expect(keys()).toEqual(["models"]);
});

test("runner frames renew the runners and the agents of their pools", async () => {
  const renewal = new QueryInvalidator(queries);
  renewal.handleFrame(frame("runner.registered", undefined, { runner_id: "7", pool: "default" }));
  renewal.handleFrame(frame("runner.status_changed", undefined, { runner_id: "7", state: "offline" }));
  await vi.advanceTimersByTimeAsync(2000);
  expect(keys()).toEqual(["runners", "agents"]);
});
