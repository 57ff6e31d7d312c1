import { screen, waitFor } from "@testing-library/react";
import { userEvent } from "@testing-library/user-event";
import { afterEach, expect, test, vi } from "vitest";
import { answerRequests } from "@/testing/answer-requests";
import { secret } from "@/testing/fleet-fixtures";
import { renderWithQueries } from "@/testing/render-with-queries";
import { SecretDialog } from "./secret-dialog";

afterEach(() => vi.unstubAllGlobals());

const SCOPES = [
  { path: "tenant", title: "The whole tenant" },
  { path: "e1", title: "The environment backend" },
];
const VALUE = "s3cret-value";

test("a value is sent once, and is kept nowhere afterwards", async () => {
  const sent = answerRequests({ "PUT /api/v1/secrets/e1/GIT_TOKEN": () => ({ status: 200, body: secret() }) });
  const onClose = vi.fn();
  const queries = renderWithQueries(<SecretDialog scopes={SCOPES} onClose={onClose} />);
  await userEvent.type(screen.getByLabelText("Name"), "GIT_TOKEN");
  await userEvent.selectOptions(screen.getByLabelText("Scope"), "e1");
  await userEvent.selectOptions(screen.getByLabelText("Kind"), "git");
  await userEvent.type(screen.getByLabelText("Host"), "git.example.com");
  await userEvent.selectOptions(screen.getByLabelText("Seen by"), "both");
  await userEvent.type(screen.getByLabelText("Value"), `  ${VALUE}`);
  await userEvent.click(screen.getByRole("button", { name: "Store" }));
  await waitFor(() => expect(onClose).toHaveBeenCalledOnce());
  expect(sent.map(({ body }) => body)).toEqual([
    { value: `  ${VALUE}`, phase: "both", kind: "git", host: "git.example.com" },
  ]);
  const mutations = queries.getMutationCache().getAll();
  expect(mutations).toHaveLength(1);
  expect(JSON.stringify(mutations.map(({ state }) => state))).not.toContain(VALUE);
  expect(JSON.stringify({ ...localStorage, ...sessionStorage })).not.toContain(VALUE);
});

test("a secret is replaced at its address, with the fields that it had", async () => {
  const sent = answerRequests({
    "PUT /api/v1/secrets/tenant/ANTHROPIC_API_KEY": () => ({ status: 200, body: secret() }),
  });
  const replaced = secret({ name: "ANTHROPIC_API_KEY", kind: "provider", provider: "openai", phase: "agent" });
  renderWithQueries(<SecretDialog scopes={SCOPES} replaced={replaced} onClose={() => undefined} />);
  expect(screen.getByLabelText("Name").getAttribute("readonly")).not.toBeNull();
  expect((screen.getByLabelText("Value") as HTMLTextAreaElement).value).toBe("");
  await userEvent.type(screen.getByLabelText("Value"), VALUE);
  await userEvent.click(screen.getByRole("button", { name: "Replace" }));
  await waitFor(() => expect(sent).toHaveLength(1));
  expect(sent[0]?.body).toEqual({ value: VALUE, phase: "agent", kind: "provider", provider: "openai" });
});

test("a refused secret is marked at its field, and the value need not be typed again", async () => {
  answerRequests({
    "PUT /api/v1/secrets/tenant/TOKEN": () => ({
      status: 422,
      body: {
        code: "VALIDATION_FAILED",
        detail: "The request has invalid fields.",
        errors: [{ field: "host", message: "must be a host" }],
      },
    }),
  });
  const onClose = vi.fn();
  renderWithQueries(<SecretDialog scopes={SCOPES} onClose={onClose} />);
  await userEvent.type(screen.getByLabelText("Name"), "TOKEN");
  await userEvent.selectOptions(screen.getByLabelText("Kind"), "git");
  await userEvent.type(screen.getByLabelText("Host"), "-");
  await userEvent.type(screen.getByLabelText("Value"), VALUE);
  await userEvent.click(screen.getByRole("button", { name: "Store" }));
  expect(await screen.findByText("must be a host")).toBeTruthy();
  expect((screen.getByLabelText("Value") as HTMLTextAreaElement).value).toBe(VALUE);
  expect(onClose).not.toHaveBeenCalled();
});
