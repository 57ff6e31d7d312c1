import { expect, test } from "vitest";
import type { TreeNode } from "@/api/schema";
import { foldedAtFirst, graph } from "./graph";
import { places } from "./layout";

function node(id: string, children: TreeNode[] = [], status = "completed"): TreeNode {
  return { id, title: id, status, children, depth: 0, cost_usd: "0", total_cost_usd: "0", tokens: 0 };
}

const tree = node("root", [node("a", [node("a1"), node("a2", [node("a3")])]), node("b", [node("b1", [], "running")])]);

test("the critical path is the way that people wait for, not the one with most steps", () => {
  const { nodes } = graph(tree, new Set());
  expect(nodes.filter((one) => one.critical).map((one) => one.id)).toEqual(["root", "b", "b1"]);
});

test("folding hides what is below and says how much", () => {
  const { nodes, edges } = graph(tree, new Set(["a"]));
  expect(nodes.map((one) => one.id)).toEqual(["root", "a", "b", "b1"]);
  expect(nodes[1]).toMatchObject({ collapsed: true, below: 3 });
  expect(edges).toHaveLength(3);
});

test("a large tree begins folded, and 2000 nodes are laid out in a moment without overlap", () => {
  const large = node(
    "root",
    Array.from({ length: 40 }, (_, at) =>
      node(
        `c${at}`,
        Array.from({ length: 49 }, (_, leaf) => node(`c${at}.${leaf}`)),
      ),
    ),
  );
  const folded = foldedAtFirst(large);
  expect(graph(large, folded).nodes).toHaveLength(41);
  const open = graph(large, new Set());
  expect(open.nodes).toHaveLength(2001);
  const spots = new Set([...places(open).values()].map(({ x, y }) => `${Math.round(x)} ${Math.round(y)}`));
  expect(spots.size).toBe(2001);
}, 20_000);
