import { render, screen, within } from "@testing-library/react";
import { expect, test } from "vitest";
import type { EnvironmentVersion } from "@/api/fleet-types";
import type { PagedState } from "@/components/load-state";
import { environment } from "@/testing/fleet-fixtures";
import { EnvironmentView } from "./environment-view";

function version(number: number, more: Partial<EnvironmentVersion> = {}): EnvironmentVersion {
  const { id, is_default, updated_at, ...spec } = environment();
  return { ...spec, version: number, ...more };
}

function paged(items: EnvironmentVersion[]): PagedState<EnvironmentVersion> {
  return {
    data: { pages: [{ items }] },
    isPending: false,
    error: null,
    refetch: () => undefined,
    hasNextPage: false,
    isFetchingNextPage: false,
    fetchNextPage: () => undefined,
  };
}

const VERSIONS = paged([
  version(3, { secrets: ["NPM_TOKEN"] }),
  version(2, { secrets: [], setup: { script: "echo two", timeout_seconds: 60 } }),
  version(1, { secrets: [], setup: null, name: "first" }),
]);

test("each version says which fields it changed", () => {
  render(<EnvironmentView environment={environment()} versions={VERSIONS} actions={null} />);
  const items = within(screen.getByRole("region", { name: "Versions" })).getAllByRole("listitem");
  expect(items.map((item) => item.textContent)).toEqual([
    expect.stringMatching(/^Version 3.*: set-up script, secrets$/),
    expect.stringMatching(/^Version 2.*: name, set-up script$/),
    expect.stringMatching(/^Version 1.*: created$/),
  ]);
});

test("an older version is shown as such, with a way to the newest", () => {
  render(<EnvironmentView environment={environment()} versions={VERSIONS} version={2} actions={null} />);
  expect(screen.getByRole("region", { name: "Set-up script" }).textContent).toBe("echo two");
  expect(screen.getByRole("link", { name: "Show the newest, 3" })).toBeTruthy();
  expect(screen.getByRole("link", { current: true }).textContent).toContain("Version 2");
});

test("a version that does not exist is not shown as the newest", () => {
  render(<EnvironmentView environment={environment()} versions={VERSIONS} version={9} actions={null} />);
  expect(screen.getByText("Version 9 is not loaded.")).toBeTruthy();
  expect(screen.queryByRole("region", { name: "Network" })).toBeNull();
});
