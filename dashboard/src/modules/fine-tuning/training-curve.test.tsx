import { render, screen, within } from "@testing-library/react";
import { userEvent } from "@testing-library/user-event";
import { expect, test } from "vitest";
import type { Point } from "@/api/schema";
import { LineChart } from "@/components/line-chart";
import { describeCurve, lossSeries } from "./training-curve";

const POINTS: Point[] = [
  { step: 1, loss: 2.5 },
  { step: 2, loss: 1.75, eval_loss: 1.9 },
  { step: 3, loss: 1.25 },
];

test("a curve is described by its first and latest values", () => {
  expect(describeCurve(POINTS)).toBe(
    "The training loss went from 2.5000 at step 1 to 1.2500 at step 3. The held-out loss is 1.9000 at step 2.",
  );
  expect(describeCurve([])).toBe("No loss is known yet.");
});

test("the values of a chart are also shown in a table", async () => {
  render(
    <LineChart
      label={describeCurve(POINTS)}
      unit="Step"
      series={lossSeries(POINTS)}
      show={(value) => value.toFixed(2)}
    />,
  );
  expect(screen.getByRole("img").getAttribute("aria-label")).toContain("from 2.5000");
  expect(screen.queryByRole("table")).toBeNull();
  await userEvent.click(screen.getByRole("button", { name: "Show the values" }));
  const rows = within(screen.getByRole("table")).getAllByRole("row");
  expect(rows.map((row) => [...row.children].map((cell) => cell.textContent))).toEqual([
    ["Step", "Training loss", "Held-out loss"],
    ["1", "2.50", "–"],
    ["2", "1.75", "1.90"],
    ["3", "1.25", "–"],
  ]);
});

test("a chart can have a single point", () => {
  render(<LineChart label="One" unit="Step" series={lossSeries([{ step: 5, loss: 2 }])} show={String} />);
  for (const path of document.querySelectorAll("path")) expect(path.getAttribute("d")).not.toMatch(/NaN|Infinity/);
});
