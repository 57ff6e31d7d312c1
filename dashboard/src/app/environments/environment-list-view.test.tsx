import { render, screen } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { ApiError } from "@/api/problem";
import { environment } from "@/testing/fleet-fixtures";
import { EnvironmentListView } from "./environment-list-view";

const READ = { isPending: false, error: null, refetch: () => undefined };

test("environments are listed with their version, program and network", () => {
  const items = [
    environment({ is_default: true, agent: { program: "claude-code", permissions: {} } }),
    environment({ id: "2", name: "blank", repositories: [], network: { setup: "none", agent: "open", domains: [] } }),
  ];
  render(<EnvironmentListView environments={{ ...READ, data: { items } }} mayCreate />);
  const backend = screen.getByRole("row", { name: /backend/ }).textContent;
  for (const part of ["default", "git.example.com/team/app", "claude-code", "Nothing but the model"]) {
    expect(backend).toContain(part);
  }
  expect(screen.getByRole("row", { name: /blank/ }).textContent).toContain("The public internet");
  expect(screen.getByRole("link", { name: "New environment" })).toBeTruthy();
});

test("members who may not create environments are not offered to", () => {
  render(<EnvironmentListView environments={{ ...READ, data: { items: [] } }} mayCreate={false} />);
  expect(screen.getByText("There are no environments yet.")).toBeTruthy();
  expect(screen.queryByRole("link", { name: "New environment" })).toBeNull();
});

test("a list that is refused shows why, and can be read again", () => {
  const refetch = vi.fn();
  const error = new ApiError(403, { code: "FORBIDDEN", detail: "This requires the role member or higher." });
  render(<EnvironmentListView environments={{ ...READ, data: undefined, error, refetch }} mayCreate={false} />);
  expect(screen.getByRole("alert").textContent).toContain("FORBIDDEN");
  screen.getByRole("button", { name: "Try again" }).click();
  expect(refetch).toHaveBeenCalledOnce();
});
