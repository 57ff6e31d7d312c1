import { screen } from "@testing-library/react";
import { userEvent } from "@testing-library/user-event";
import { afterEach, expect, test, vi } from "vitest";
import type { Runner } from "@/api/fleet-types";
import { answerRequests } from "@/testing/answer-requests";
import { runner } from "@/testing/fleet-fixtures";
import { renderWithQueries } from "@/testing/render-with-queries";
import { EnrolRunnerDialog } from "./enrol-runner-dialog";

afterEach(() => vi.unstubAllGlobals());

const ENROLMENT = {
  id: "e1",
  pool: "build-farm",
  uses: "many",
  created_at: "2026-11-22T10:00:00Z",
  created_by: { id: "u", kind: "user", name: "Ada" },
  runners: 0,
  token: "iocr_test_1_s3cret",
};

/** An API with these runners, whose next enrolment expires at a time. */
function api(runners: () => Runner[], expires_at = "2099-01-01T00:00:00Z") {
  return answerRequests({
    "POST /api/v1/runners/enrolments": () => ({ status: 201, body: { ...ENROLMENT, expires_at } }),
    "GET /api/v1/runners": () => ({ status: 200, body: { items: runners(), next_cursor: null } }),
  });
}

async function enrol() {
  await userEvent.clear(screen.getByLabelText("Pool"));
  await userEvent.type(screen.getByLabelText("Pool"), "build-farm");
  await userEvent.selectOptions(screen.getByLabelText("For"), "many");
  await userEvent.click(screen.getByRole("button", { name: "Create the command" }));
}

test("an enrolment gives the command that starts a runner, and waits for it", async () => {
  let runners: Runner[] = [runner({ name: "older", created_at: "2026-11-20T10:00:00Z" })];
  const sent = api(() => runners);
  renderWithQueries(<EnrolRunnerDialog onClose={() => undefined} />);
  await enrol();
  const command = await screen.findByRole("region", { name: "Command" });
  expect(command.textContent).toContain("IOC_RUNNER_TOKEN=iocr_test_1_s3cret ioc-runner start");
  expect(sent[0]?.body).toEqual({ pool: "build-farm", uses: "many", expires_in_seconds: 3600 });
  expect((await screen.findByText(/Waiting for the runner/)).closest("[role=status]")).toBeTruthy();
  expect(sent.at(-1)?.query).toContain("pool=build-farm");

  runners = [runner({ name: "build-7", slots: 2, created_at: "2026-11-22T10:00:09Z" }), ...runners];
  const status = await screen.findByText("build-7", {}, { timeout: 10_000 });
  expect(status.closest("[role=status]")?.textContent).toBe("build-7 has registered: 2 slots, isolation sandbox.");
});

test("a token that expired without a runner is reported", async () => {
  api(() => [], "2026-11-22T11:00:00Z");
  renderWithQueries(<EnrolRunnerDialog onClose={() => undefined} />);
  await enrol();
  expect(await screen.findByText(/The token has expired/)).toBeTruthy();
});

test("a refused enrolment shows its reason at the field, and can be sent again", async () => {
  answerRequests({
    "POST /api/v1/runners/enrolments": () => ({
      status: 422,
      body: {
        code: "VALIDATION_FAILED",
        detail: "The request has invalid fields.",
        remedy: "Correct them.",
        errors: [{ field: "pool", message: "is reserved" }],
      },
    }),
  });
  renderWithQueries(<EnrolRunnerDialog onClose={() => undefined} />);
  await enrol();
  expect(await screen.findByText("is reserved")).toBeTruthy();
  expect(screen.getByLabelText("Pool").getAttribute("aria-invalid")).toBe("true");
  expect(screen.getByRole("alert").textContent).toContain("VALIDATION_FAILED");
  expect(screen.getByRole("button", { name: "Create the command" })).toBeTruthy();
});
