import { render } from "@testing-library/react";
import { expect, test } from "vitest";
import { experimentStatusValues, statusValues, trainingStatusValues } from "@/api/schema";
import { StatusBadge } from "./status-badge";
import { STATUS_STYLES } from "./status-styles";

test("every state has its own word, colour and shape", () => {
  const shapes = new Set<string>();
  const colours = new Set<string>();
  const all = new Set([...statusValues, ...trainingStatusValues, ...experimentStatusValues]);
  for (const status of all) {
    const { container } = render(<StatusBadge status={status} />);
    expect(container.textContent).toBe(status.replaceAll("_", " "));
    shapes.add(container.querySelector("path")?.getAttribute("d") ?? "");
    colours.add(STATUS_STYLES[status].colour);
  }
  expect([shapes.size, colours.size]).toEqual([all.size, all.size]);
});

test("an unknown state is still shown", () => {
  const { container } = render(<StatusBadge status="hibernating" />);
  expect(container.textContent).toBe("hibernating");
});
