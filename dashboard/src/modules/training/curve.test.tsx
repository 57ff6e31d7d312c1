import { render, screen, within } from "@testing-library/react";
import { userEvent } from "@testing-library/user-event";
import { expect, test } from "vitest";
import type { Point } from "@/api/schema";
import { LineChart } from "@/components/line-chart";
import { lines, told } from "./curve";

const POINTS: Point[] = [
  { step: 1, loss: 2.5 },
  { step: 2, loss: 1.75, eval_loss: 1.9 },
  { step: 3, loss: 1.25 },
];

test("a curve says in words where it began and where it has come to", () => {
  expect(told(POINTS)).toBe(
    "The training loss went from 2.5000 at step 1 to 1.2500 at step 3. On what was held out it is 1.9000 at step 2.",
  );
  expect(told([])).toBe("No loss is known yet.");
});

test("whoever does not see the chart reads its figures in a table", async () => {
  render(<LineChart label={told(POINTS)} unit="Step" series={lines(POINTS)} show={(value) => value.toFixed(2)} />);
  expect(screen.getByRole("img").getAttribute("aria-label")).toContain("from 2.5000");
  expect(screen.queryByRole("table")).toBeNull();
  await userEvent.click(screen.getByRole("button", { name: "Show the figures" }));
  const rows = within(screen.getByRole("table")).getAllByRole("row");
  expect(rows.map((row) => [...row.children].map((cell) => cell.textContent))).toEqual([
    ["Step", "Training loss", "Held-out loss"],
    ["1", "2.50", "–"],
    ["2", "1.75", "1.90"],
    ["3", "1.25", "–"],
  ]);
});

test("a single point is a chart too", () => {
  render(<LineChart label="One" unit="Step" series={lines([{ step: 5, loss: 2 }])} show={String} />);
  for (const path of document.querySelectorAll("path")) expect(path.getAttribute("d")).not.toMatch(/NaN|Infinity/);
});
