import { renderHook } from "@testing-library/react";
import { userEvent } from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { useShortcuts } from "./use-shortcuts";

test("a key pair takes precedence over a single key", async () => {
  const [go, select] = [vi.fn(), vi.fn()];
  const list = { x: select };
  const shell = { "g x": go };
  renderHook(() => useShortcuts(list));
  renderHook(() => useShortcuts(shell));
  await userEvent.keyboard("gx");
  expect([go.mock.calls.length, select.mock.calls.length]).toEqual([1, 0]);
  await userEvent.keyboard("x");
  expect([go.mock.calls.length, select.mock.calls.length]).toEqual([1, 1]);
});
