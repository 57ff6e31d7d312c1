import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Connection, type LiveState, wait } from "./connection";
import type { Frame } from "./frame";

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
  return new Connection(
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

test("it is live once the server says so, and answers the heart", async () => {
  const line = connection();
  line.follow("/ws/sessions");
  line.start();
  await vi.advanceTimersByTimeAsync(0);
  expect(states).toEqual(["connecting"]);
  last().open();
  expect(states.at(-1)).toBe("live");
  last().say({ type: "heartbeat" });
  expect(last().sent).toContainEqual({ action: "pong" });
  line.stop();
});

test("after a break it comes with a new ticket and goes on after the last frame", async () => {
  const line = connection();
  line.follow("/ws/sessions/1");
  line.start();
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
  line.stop();
});

test("where the socket is refused it keeps trying, ever more seldom, and never gives up", async () => {
  refused = true;
  const line = connection();
  line.start();
  await vi.advanceTimersByTimeAsync(0);
  expect(states).toEqual(["connecting", "polling"]);
  await vi.advanceTimersByTimeAsync(10 * 60_000);
  const tried = tickets;
  expect(tried).toBeGreaterThan(8);
  expect(tried).toBeLessThan(25);
  refused = false;
  line.hurry();
  await vi.advanceTimersByTimeAsync(0);
  last().open();
  expect(states.at(-1)).toBe("live");
  line.stop();
});

test("a line that says nothing for three beats is taken for dead", async () => {
  const line = connection();
  line.start();
  await vi.advanceTimersByTimeAsync(0);
  last().open();
  await vi.advanceTimersByTimeAsync(89_000);
  expect(Socket.all).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(Socket.all.length).toBeGreaterThan(1);
  line.stop();
});

test("what cannot be told any more is read again", async () => {
  const line = connection();
  line.start();
  await vi.advanceTimersByTimeAsync(0);
  last().open();
  last().say({ type: "session.log", topic: "/ws/sessions", cursor: "c1" });
  last().say({ type: "resync", payload: { topic: "/ws/sessions", reason: "too_slow" } });
  last().onmessage?.({ data: "no frame" });
  expect([resyncs, frames.length]).toEqual([1, 1]);
  expect(last().sent.at(-1)).toEqual({ action: "subscribe", topic: "/ws/sessions" });
  line.stop();
});

test("stopped, it stays away", async () => {
  const line = connection();
  line.start();
  await vi.advanceTimersByTimeAsync(0);
  last().open();
  line.stop();
  await vi.advanceTimersByTimeAsync(300_000);
  expect(Socket.all).toHaveLength(1);
});

test("a topic that two parts follow is let go by the last", async () => {
  const line = connection();
  line.start();
  await vi.advanceTimersByTimeAsync(0);
  last().open();
  const [one, other] = [line.follow("/ws/agents"), line.follow("/ws/agents")];
  one();
  expect(last().sent).toEqual([{ action: "subscribe", topic: "/ws/agents" }]);
  other();
  expect(last().sent.at(-1)).toEqual({ action: "unsubscribe", topic: "/ws/agents" });
  line.stop();
});

test("waits spread over the whole time, up to a minute", () => {
  expect([wait(0, 1), wait(3, 1), wait(30, 1)]).toEqual([1000, 8000, 60_000]);
  expect(wait(5, 0)).toBe(0);
});

test("the places of a heartbeat are kept, also where nothing happened", async () => {
  const line = connection();
  line.start();
  await vi.advanceTimersByTimeAsync(0);
  last().open();
  last().say({ type: "heartbeat", payload: { cursors: { "/ws/sessions": "c9" } } });
  last().close();
  await vi.advanceTimersByTimeAsync(1000);
  expect(last().after).toBe("c9");
  line.stop();
});

test("a key that was revoked is said, and not tried again", async () => {
  const line = connection();
  line.start();
  await vi.advanceTimersByTimeAsync(0);
  last().open();
  last().close(4401);
  await vi.advanceTimersByTimeAsync(120_000);
  expect([refusals, Socket.all.length]).toEqual([1, 1]);
  line.stop();
});
