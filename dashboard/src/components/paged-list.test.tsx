import { render, screen } from "@testing-library/react";
import { userEvent } from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import type { PagedState } from "./load-state";
import { PagedList } from "./paged-list";

const idle: PagedState<string> = {
  data: undefined,
  isPending: false,
  error: null,
  refetch: () => undefined,
  hasNextPage: false,
  isFetchingNextPage: false,
  fetchNextPage: () => undefined,
};

function renderList(state: Partial<PagedState<string>>) {
  render(
    <PagedList state={{ ...idle, ...state }} empty={<p>There are none.</p>}>
      {(items) => <p>{items.join(", ")}</p>}
    </PagedList>,
  );
}

test("a list shows placeholders until its first page is read", () => {
  renderList({ isPending: true });
  expect(screen.getByRole("status", { name: "Loading" })).toBeTruthy();
});

test("a list that cannot be read shows the error and can be read again", async () => {
  const refetch = vi.fn();
  renderList({ error: new Error("The list is gone."), refetch });
  expect(screen.getByRole("alert").textContent).toContain("The list is gone.");
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  expect(refetch).toHaveBeenCalledOnce();
});

test("a list keeps its items while a later read fails", () => {
  renderList({ data: { pages: [{ items: ["a"] }] }, error: new Error("The list is gone.") });
  expect(screen.getByText("a")).toBeTruthy();
  expect(screen.queryByRole("alert")).toBeNull();
});

test("an empty list shows its replacement", () => {
  renderList({ data: { pages: [{ items: [] }] } });
  expect(screen.getByText("There are none.")).toBeTruthy();
});

test("the next page is loaded on request, and only if there is one", async () => {
  const fetchNextPage = vi.fn();
  const pages = [{ items: ["a", "b"] }, { items: ["c"] }];
  renderList({ data: { pages }, hasNextPage: true, fetchNextPage });
  expect(screen.getByText("a, b, c")).toBeTruthy();
  await userEvent.click(screen.getByRole("button", { name: "Load older" }));
  expect(fetchNextPage).toHaveBeenCalledOnce();
});
