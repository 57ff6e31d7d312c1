import { cleanup, render, screen } from "@testing-library/react";
import { userEvent } from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { ApiError } from "@/api/problem";
import { environment } from "@/testing/fleet-fixtures";
import { EditEnvironmentView } from "./edit-environment-view";

function renderEditor(more: Partial<Parameters<typeof EditEnvironmentView>[0]> = {}) {
  const onSave = vi.fn();
  render(
    <EditEnvironmentView
      environment={environment()}
      newestVersion={3}
      secretNames={["NPM_TOKEN", "GIT_TOKEN"]}
      busy={false}
      error={null}
      onSave={onSave}
      onLeave={() => undefined}
      {...more}
    />,
  );
  return onSave;
}

const save = () => userEvent.click(screen.getByRole("button", { name: "Save" }));

test("only the fields that were changed are sent", async () => {
  const onSave = renderEditor();
  await userEvent.clear(screen.getByLabelText("Script"));
  await userEvent.click(screen.getByRole("checkbox", { name: "GIT_TOKEN" }));
  await userEvent.selectOptions(screen.getByLabelText("Run commands"), "asks a person");
  await save();
  expect(onSave).toHaveBeenCalledExactlyOnceWith({
    setup: null,
    secrets: ["NPM_TOKEN", "GIT_TOKEN"],
    agent: { permissions: { execute: "ask" } },
  });
});

test("an unchanged environment is not saved as a new version", async () => {
  const onSave = renderEditor();
  await save();
  expect(onSave).not.toHaveBeenCalled();
  expect(screen.getByText("Nothing has changed.")).toBeTruthy();
});

test("a variable that is there twice is marked, and nothing is sent", async () => {
  const onSave = renderEditor();
  await userEvent.click(screen.getByRole("button", { name: "Add variable to the environment" }));
  await userEvent.type(screen.getAllByLabelText("Name").at(-1) as HTMLElement, "NODE_ENV");
  await save();
  expect(onSave).not.toHaveBeenCalled();
  expect(screen.getAllByText("There are two variables with this name.").length).toBeGreaterThan(0);
  expect(screen.getByRole("alert").textContent).toContain("Nothing was sent");
});

test("refused fields are marked where they are typed", () => {
  renderEditor({
    environment: environment({ network: { setup: "allowlist", agent: "none", domains: ["a.com", "b"] } }),
    error: new ApiError(422, {
      code: "VALIDATION_FAILED",
      errors: [
        { field: "repositories[0].url", message: "must be an https or ssh URL" },
        { field: "network.domains[1]", message: "must be a domain" },
        { field: "variables.NODE_ENV", message: "is reserved" },
        { field: "secrets[0]", message: "is not the name of a variable" },
        { field: "setup.timeout_seconds", message: "must be 1 to 3600" },
      ],
    }),
  });
  const noteOf = (label: string) => {
    const control = screen.getByLabelText(label);
    expect(control.getAttribute("aria-invalid")).toBe("true");
    return document.getElementById(control.getAttribute("aria-describedby") ?? "")?.textContent;
  };
  expect(noteOf("URL")).toBe("must be an https or ssh URL");
  expect(noteOf("Listed domains")).toBe("entry 2: must be a domain");
  expect(noteOf("Timeout, in seconds")).toBe("must be 1 to 3600");
  expect(screen.getByText("is reserved").id).toBeTruthy();
  expect(screen.getAllByText(/is not the name of a variable/).length).toBeGreaterThan(1);
});

test("a version that somebody else saved meanwhile is announced", () => {
  renderEditor({ newestVersion: 4 });
  expect(screen.getByText(/Somebody has saved version 4/)).toBeTruthy();
});

test("a secret is reported as missing only if the list of secrets is known", () => {
  renderEditor({ secretNames: [] });
  expect(screen.getByText("(not stored yet)")).toBeTruthy();
  cleanup();
  renderEditor({ secretNames: undefined });
  expect(screen.getByRole("checkbox", { name: "NPM_TOKEN" })).toBeTruthy();
  expect(screen.queryByText("(not stored yet)")).toBeNull();
});
