import { Graph as Dagre, layout } from "@dagrejs/dagre";
import type { TreeGraph } from "./build-graph";

export const NODE_WIDTH = 190;
export const NODE_HEIGHT = 58;

/** The position of each node: from left to right, one rank per generation. */
export function layoutNodes({
  nodes,
  edges,
}: Pick<TreeGraph, "nodes" | "edges">): Map<string, { x: number; y: number }> {
  const dagre = new Dagre();
  dagre.setGraph({ rankdir: "LR", nodesep: 12, ranksep: 60, ranker: "longest-path" });
  dagre.setDefaultEdgeLabel(() => ({}));
  for (const node of nodes) dagre.setNode(node.id, { width: NODE_WIDTH, height: NODE_HEIGHT });
  for (const edge of edges) dagre.setEdge(edge.from, edge.to);
  // The order of a tree has no crossings already. Searching for a better order would take most of the time.
  layout(dagre, { disableOptimalOrderHeuristic: true });
  return new Map(
    nodes.map(({ id }) => {
      const { x, y } = dagre.node(id) as { x: number; y: number };
      return [id, { x: x - NODE_WIDTH / 2, y: y - NODE_HEIGHT / 2 }];
    }),
  );
}
