import { screen, within } from "@testing-library/react";
import { userEvent } from "@testing-library/user-event";
import { afterEach, expect, test, vi } from "vitest";
import { ToastRegion } from "@/components/toast";
import { answerRequests } from "@/testing/answer-requests";
import { runner } from "@/testing/fleet-fixtures";
import { renderWithQueries } from "@/testing/render-with-queries";
import { RunnerActionBar } from "./runner-action-bar";

afterEach(() => vi.unstubAllGlobals());

const ID = runner().id;

test("a runner is drained only after a confirmation", async () => {
  const sent = answerRequests({
    [`POST /api/v1/runners/${ID}/drain`]: () => ({ status: 200, body: runner({ drain_requested: true }) }),
  });
  renderWithQueries(<RunnerActionBar runner={runner({ busy: 2 })} />);
  await userEvent.click(screen.getByRole("button", { name: "Drain build-1" }));
  const dialog = screen.getByRole("alertdialog");
  expect(dialog.textContent).toContain("It finishes its 2 sessions");
  await userEvent.click(within(dialog).getByRole("button", { name: "Go back" }));
  expect(sent).toEqual([]);
  await userEvent.click(screen.getByRole("button", { name: "Drain build-1" }));
  await userEvent.click(within(screen.getByRole("alertdialog")).getByRole("button", { name: "Drain" }));
  await vi.waitFor(() => expect(screen.queryByRole("alertdialog")).toBeNull());
  expect(sent.map(({ call }) => call)).toEqual([`POST /api/v1/runners/${ID}/drain`]);
});

test("a runner that is removed elsewhere is reported with its remedy", async () => {
  answerRequests({
    [`DELETE /api/v1/runners/${ID}`]: () => ({
      status: 404,
      body: { code: "RUNNER_NOT_FOUND", detail: "There is no such runner.", remedy: "Reload the list." },
    }),
  });
  const onRemoved = vi.fn();
  renderWithQueries(
    <>
      <RunnerActionBar runner={runner({ drain_requested: true })} onRemoved={onRemoved} />
      <ToastRegion />
    </>,
  );
  expect(screen.queryByRole("button", { name: /^Drain/ })).toBeNull();
  await userEvent.click(screen.getByRole("button", { name: "Remove build-1" }));
  await userEvent.click(within(screen.getByRole("alertdialog")).getByRole("button", { name: "Remove" }));
  expect(await screen.findByText("There is no such runner. Reload the list.")).toBeTruthy();
  expect(onRemoved).not.toHaveBeenCalled();
});
