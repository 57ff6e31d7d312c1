import { render, screen, within } from "@testing-library/react";
import { userEvent } from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import type { Runner } from "@/api/fleet-types";
import type { PagedState } from "@/components/load-state";
import { runner } from "@/testing/fleet-fixtures";
import { RunnerListView } from "./runner-list-view";

function paged(items: Runner[], more: Partial<PagedState<Runner>> = {}): PagedState<Runner> {
  return {
    data: { pages: [{ items }] },
    isPending: false,
    error: null,
    refetch: () => undefined,
    hasNextPage: false,
    isFetchingNextPage: false,
    fetchNextPage: () => undefined,
    ...more,
  };
}

function renderList(runners: PagedState<Runner>, more: Partial<Parameters<typeof RunnerListView>[0]> = {}) {
  const onFilter = vi.fn();
  render(<RunnerListView runners={runners} filter={{}} onFilter={onFilter} enrolments={null} {...more} />);
  return onFilter;
}

test("a runner is listed with its slots, programs, labels and isolation", () => {
  renderList(
    paged([
      runner({ name: "build-1" }),
      runner({
        id: "2",
        name: "laptop",
        pool: "people",
        busy: 2,
        slots: 2,
        isolation: "process",
        isolation_reason: "The kernel refuses user namespaces.",
      }),
      runner({ id: "3", name: "gone", state: "offline", slots: 8, busy: 0, drain_requested: true }),
    ]),
  );
  const laptop = screen.getByRole("row", { name: /laptop/ });
  expect(laptop.textContent).toContain("process");
  expect(laptop.textContent).toContain("The kernel refuses user namespaces.");
  expect(within(laptop).getByRole("meter").getAttribute("aria-valuetext")).toBe("2 of 2, 100%");
  expect(screen.getByRole("row", { name: /build-1/ }).textContent).toContain("claude-code 2.1");
  expect(screen.getByRole("row", { name: /build-1/ }).textContent).toContain("zone: eu-1");
  expect(screen.getByRole("row", { name: /gone/ }).textContent).toContain("drained by a lead");
  // The slots of a runner that is offline cannot be used.
  expect(screen.getByText("2 of 3 active · 3 of 6 slots in use")).toBeTruthy();
});

test("a click on a pool shows only its runners, and the filter can be removed", async () => {
  const onFilter = renderList(paged([runner()]));
  await userEvent.click(screen.getByRole("button", { name: "build-farm" }));
  expect(onFilter).toHaveBeenCalledExactlyOnceWith({ pool: "build-farm" });
  const remove = renderList(paged([]), { filter: { pool: "build-farm" } });
  expect(screen.getByText("No runner matches.")).toBeTruthy();
  await userEvent.click(screen.getByRole("button", { name: "Show all pools" }));
  expect(remove).toHaveBeenCalledExactlyOnceWith({ pool: undefined });
});

test("an empty fleet explains what a runner is, and who can enrol one", () => {
  renderList(paged([]));
  expect(screen.getByText(/A lead can enrol one/)).toBeTruthy();
  expect(screen.queryByRole("button", { name: "Enrol a runner" })).toBeNull();
});

test("a list that cannot be read shows the error instead of an empty fleet", async () => {
  const refetch = vi.fn();
  renderList(paged([], { data: undefined, error: new Error("The server does not respond."), refetch }));
  expect(screen.getByRole("alert").textContent).toContain("The server does not respond.");
  expect(screen.queryByText(/There are no runners/)).toBeNull();
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  expect(refetch).toHaveBeenCalledOnce();
});
