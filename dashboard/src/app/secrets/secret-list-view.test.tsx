import { render, screen, within } from "@testing-library/react";
import { userEvent } from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { secret } from "@/testing/fleet-fixtures";
import { SecretListView } from "./secret-list-view";

const READ = { isPending: false, error: null, refetch: () => undefined };

function renderList(more: Partial<Parameters<typeof SecretListView>[0]> = {}) {
  const [onReplace, onDelete] = [vi.fn(), vi.fn()];
  const items = [
    secret({ name: "NPM_TOKEN" }),
    secret({ id: "2", scope: "user", name: "GIT_TOKEN", kind: "git", host: "git.example.com", username: "me" }),
  ];
  render(
    <SecretListView
      secrets={{ ...READ, data: { items } }}
      titleOf={({ scope }) => scope}
      mayChange={({ scope }) => scope === "user"}
      onReplace={onReplace}
      onDelete={onDelete}
      {...more}
    />,
  );
  return { onReplace, onDelete };
}

test("a secret is listed by its name, scope, kind and phase", () => {
  renderList();
  const row = screen.getByRole("row", { name: /GIT_TOKEN/ }).textContent;
  for (const part of ["user", "A credential for git", "me@git.example.com", "Only the set-up script"]) {
    expect(row).toContain(part);
  }
});

test("only the secrets that a caller may change have actions", async () => {
  const { onReplace, onDelete } = renderList();
  expect(within(screen.getByRole("row", { name: /NPM_TOKEN/ })).queryByRole("button")).toBeNull();
  await userEvent.click(screen.getByRole("button", { name: "Delete GIT_TOKEN, user" }));
  expect(onDelete.mock.calls[0]?.[0]).toMatchObject({ id: "2" });
  await userEvent.click(screen.getByRole("button", { name: "Replace GIT_TOKEN, user" }));
  expect(onReplace.mock.calls[0]?.[0]).toMatchObject({ id: "2" });
  expect(screen.queryByRole("button", { name: "New secret" })).toBeNull();
});

test("an empty list says what secrets are for, and a failed one is not empty", () => {
  renderList({ secrets: { ...READ, data: { items: [] } }, onCreate: () => undefined });
  expect(screen.getByText("There are no secrets yet.")).toBeTruthy();
  expect(screen.getByRole("button", { name: "New secret" })).toBeTruthy();
  renderList({ secrets: { ...READ, data: undefined, error: new Error("No answer.") } });
  expect(screen.getByRole("alert").textContent).toContain("No answer.");
  expect(screen.getAllByText("There are no secrets yet.")).toHaveLength(1);
});
