import { expect, test } from "vitest";
import type { TreeNode } from "@/api/schema";
import { buildGraph, initiallyFolded } from "./build-graph";
import { layoutNodes } from "./layout";

function node(id: string, children: TreeNode[] = [], status = "completed"): TreeNode {
  return { id, title: id, status, children, depth: 0, cost_usd: "0", total_cost_usd: "0", tokens: 0 };
}

const tree = node("root", [node("a", [node("a1"), node("a2", [node("a3")])]), node("b", [node("b1", [], "running")])]);

test("the critical path prefers unfinished nodes over longer finished paths", () => {
  const { nodes } = buildGraph(tree, new Set());
  expect(nodes.filter((one) => one.critical).map((one) => one.id)).toEqual(["root", "b", "b1"]);
});

test("folding hides the nodes below and shows their number", () => {
  const { nodes, edges } = buildGraph(tree, new Set(["a"]));
  expect(nodes.map((one) => one.id)).toEqual(["root", "a", "b", "b1"]);
  expect(nodes[1]).toMatchObject({ collapsed: true, below: 3 });
  expect(edges).toHaveLength(3);
});

test("a large tree starts folded, and 2000 nodes are laid out without overlap", () => {
  const large = node(
    "root",
    Array.from({ length: 40 }, (_, at) =>
      node(
        `c${at}`,
        Array.from({ length: 49 }, (_, leaf) => node(`c${at}.${leaf}`)),
      ),
    ),
  );
  const folded = initiallyFolded(large);
  expect(buildGraph(large, folded).nodes).toHaveLength(41);
  const open = buildGraph(large, new Set());
  expect(open.nodes).toHaveLength(2001);
  const spots = new Set([...layoutNodes(open).values()].map(({ x, y }) => `${Math.round(x)} ${Math.round(y)}`));
  expect(spots.size).toBe(2001);
}, 20_000);
