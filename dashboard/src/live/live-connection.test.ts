import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Frame, LiveState } from "@/api/live-frame";
import { LiveConnection, reconnectDelay } from "./live-connection";

class Socket {
  static all: Socket[] = [];
  readyState = 0;
  sent: unknown[] = [];
  onopen: (() => void) | null = null;
  onclose: ((closed: { code: number }) => void) | null = null;
  onmessage: ((message: { data: string }) => void) | null = null;

  constructor(
    readonly ticket: string,
    readonly after?: string,
  ) {
    Socket.all.push(this);
  }

  open() {
    this.readyState = 1;
    this.onopen?.();
    this.say({ type: "connection.established" });
  }

  say(frame: object) {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }

  send(text: string) {
    this.sent.push(JSON.parse(text));
  }

  close(code = 1006) {
    this.readyState = 3;
    this.onclose?.({ code });
  }
}

const states: LiveState[] = [];
const frames: Frame[] = [];
let resyncs = 0;
let refusals = 0;
let tickets = 0;
let refused = false;

function connection() {
  return new LiveConnection(
    {
      ticket: async () => {
        tickets += 1;
        if (refused) throw new Error("refused");
        return `t${tickets}`;
      },
      open: (_topic, ticket, after) => new Socket(ticket, after) as unknown as WebSocket,
      random: () => 1,
    },
    {
      state: (state) => states.push(state),
      frame: (frame) => frames.push(frame),
      resync: () => (resyncs += 1),
      refused: () => (refusals += 1),
    },
  );
}

const last = () => Socket.all.at(-1) as Socket;

beforeEach(() => {
  vi.useFakeTimers();
  Socket.all = [];
  states.length = frames.length = resyncs = refusals = tickets = 0;
  refused = false;
});

afterEach(() => vi.useRealTimers());

test("the connection is live once confirmed, and answers heartbeats", async () => {
  const live = connection();
  live.follow("/ws/sessions");
  live.start();
  await vi.advanceTimersByTimeAsync(0);
  expect(states).toEqual(["connecting"]);
  last().open();
  expect(states.at(-1)).toBe("live");
  last().say({ type: "heartbeat" });
  expect(last().sent).toContainEqual({ action: "pong" });
  live.stop();
});

test("a reconnect uses a new ticket and resumes after the last frame", async () => {
  const live = connection();
  live.follow("/ws/sessions/1");
  live.start();
  await vi.advanceTimersByTimeAsync(0);
  last().open();
  expect(last().sent[0]).toEqual({ action: "subscribe", topic: "/ws/sessions/1" });
  last().say({ type: "session.log", topic: "/ws/sessions/1", payload: {}, cursor: "c7", seq: 7, session_id: "1" });
  last().close();
  expect(states.at(-1)).toBe("polling");
  await vi.advanceTimersByTimeAsync(1000);
  expect(Socket.all).toHaveLength(2);
  expect(last().ticket).toBe("t2");
  last().open();
  expect(last().sent[0]).toEqual({ action: "subscribe", topic: "/ws/sessions/1", after: "c7" });
  expect(frames).toHaveLength(1);
  live.stop();
});

test("a refused socket is retried without end, with growing delays", async () => {
  refused = true;
  const live = connection();
  live.start();
  await vi.advanceTimersByTimeAsync(0);
  expect(states).toEqual(["connecting", "polling"]);
  await vi.advanceTimersByTimeAsync(10 * 60_000);
  const tried = tickets;
  expect(tried).toBeGreaterThan(8);
  expect(tried).toBeLessThan(25);
  refused = false;
  live.reconnectNow();
  await vi.advanceTimersByTimeAsync(0);
  last().open();
  expect(states.at(-1)).toBe("live");
  live.stop();
});

test("a connection without heartbeats for 90 seconds is replaced", async () => {
  const live = connection();
  live.start();
  await vi.advanceTimersByTimeAsync(0);
  last().open();
  await vi.advanceTimersByTimeAsync(89_000);
  expect(Socket.all).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(Socket.all.length).toBeGreaterThan(1);
  live.stop();
});

test("a resync frame restarts the topic and reads the data again", async () => {
  const live = connection();
  live.start();
  await vi.advanceTimersByTimeAsync(0);
  last().open();
  last().say({ type: "session.log", topic: "/ws/sessions", cursor: "c1" });
  last().say({ type: "resync", payload: { topic: "/ws/sessions", reason: "too_slow" } });
  last().onmessage?.({ data: "no frame" });
  expect([resyncs, frames.length]).toEqual([1, 1]);
  expect(last().sent.at(-1)).toEqual({ action: "subscribe", topic: "/ws/sessions" });
  live.stop();
});

test("a stopped connection does not reconnect", async () => {
  const live = connection();
  live.start();
  await vi.advanceTimersByTimeAsync(0);
  last().open();
  live.stop();
  await vi.advanceTimersByTimeAsync(300_000);
  expect(Socket.all).toHaveLength(1);
});

test("a topic is unsubscribed when its last follower leaves", async () => {
  const live = connection();
  live.start();
  await vi.advanceTimersByTimeAsync(0);
  last().open();
  const [one, other] = [live.follow("/ws/agents"), live.follow("/ws/agents")];
  one();
  expect(last().sent).toEqual([{ action: "subscribe", topic: "/ws/agents" }]);
  other();
  expect(last().sent.at(-1)).toEqual({ action: "unsubscribe", topic: "/ws/agents" });
  live.stop();
});

test("reconnect delays are spread over the whole range, up to a minute", () => {
  expect([reconnectDelay(0, 1), reconnectDelay(3, 1), reconnectDelay(30, 1)]).toEqual([1000, 8000, 60_000]);
  expect(reconnectDelay(5, 0)).toBe(0);
});

test("cursors of a heartbeat are stored for the next connection", async () => {
  const live = connection();
  live.start();
  await vi.advanceTimersByTimeAsync(0);
  last().open();
  last().say({ type: "heartbeat", payload: { cursors: { "/ws/sessions": "c9" } } });
  last().close();
  await vi.advanceTimersByTimeAsync(1000);
  expect(last().after).toBe("c9");
  live.stop();
});

test("a revoked key is reported and not used to reconnect", async () => {
  const live = connection();
  live.start();
  await vi.advanceTimersByTimeAsync(0);
  last().open();
  last().close(4401);
  await vi.advanceTimersByTimeAsync(120_000);
  expect([refusals, Socket.all.length]).toEqual([1, 1]);
  live.stop();
});
