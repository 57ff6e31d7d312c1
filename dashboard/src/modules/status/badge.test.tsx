import { render } from "@testing-library/react";
import { expect, test } from "vitest";
import { experimentStatusValues, statusValues, trainingStatusValues } from "@/api/schema";
import { StatusBadge } from "./badge";
import { LOOKS } from "./status";

test("every state has a word, a colour, and a shape of its own", () => {
  const shapes = new Set<string>();
  const colours = new Set<string>();
  const all = new Set([...statusValues, ...trainingStatusValues, ...experimentStatusValues]);
  for (const status of all) {
    const { container } = render(<StatusBadge status={status} />);
    expect(container.textContent).toBe(status.replaceAll("_", " "));
    shapes.add(container.querySelector("path")?.getAttribute("d") ?? "");
    colours.add(LOOKS[status].colour);
  }
  expect([shapes.size, colours.size]).toEqual([all.size, all.size]);
});

test("a state that came later is still shown", () => {
  const { container } = render(<StatusBadge status="hibernating" />);
  expect(container.textContent).toBe("hibernating");
});
