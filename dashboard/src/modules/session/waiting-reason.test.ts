import { expect, test } from "vitest";
import { session } from "@/testing/session-fixtures";
import { waitingReason } from "./waiting-reason";

test("the reason of a queued session is a clause without a full stop", () => {
  const queue = { place: 2, waiting_for: "slot", detail: "All 10 slots of the tenant are taken." } as const;
  expect(waitingReason(session({ status: "queued", queue }))).toBe("position 2: All 10 slots of the tenant are taken");
});

test("a session that waits for nothing has no reason", () => {
  expect(waitingReason(session())).toBeNull();
});
