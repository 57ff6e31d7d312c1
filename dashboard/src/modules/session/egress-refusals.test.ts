import { expect, test } from "vitest";
import { event } from "@/testing/session-fixtures";
import { egressRefusals } from "./egress-refusals";

const refusal = (seq: number, message: string) =>
  event(seq, "session.log", { level: "warning", code: "EGRESS_DENIED", message });

test("the code is read beside the message and before it", () => {
  const events = [
    refusal(1, "a.com:443 was refused."),
    event(2, "session.log", { level: "warning", message: "EGRESS_DENIED: b.com:443 was refused." }),
    event(3, "session.log", { level: "info", message: "The agent speaks of EGRESS_DENIED: nothing." }),
  ];
  expect(egressRefusals(events).map(({ text }) => text)).toEqual(["a.com:443 was refused.", "b.com:443 was refused."]);
});

test("each refused connection is listed once, with the number of attempts", () => {
  const events = [
    refusal(1, "The connection to example.com:443 was refused."),
    event(2, "session.log", { level: "warning", message: "The connection is slow." }),
    event(3, "session.message", { role: "assistant", text: "EGRESS_DENIED" }),
    refusal(4, "The connection to 169.254.169.254:80 was refused."),
    refusal(5, "The connection to example.com:443 was refused."),
  ];
  expect(egressRefusals(events).map(({ text, at, count }) => [text, at, count])).toEqual([
    ["The connection to example.com:443 was refused.", "2026-11-22T10:00:01Z", 2],
    ["The connection to 169.254.169.254:80 was refused.", "2026-11-22T10:00:04Z", 1],
  ]);
});
