import { Graph as Dagre, layout } from "@dagrejs/dagre";
import type { Graph } from "./graph";

export const WIDTH = 190;
export const HEIGHT = 58;

/** Where each node stands: from left to right, a rank per generation. */
export function places({ nodes, edges }: Pick<Graph, "nodes" | "edges">): Map<string, { x: number; y: number }> {
  const dagre = new Dagre();
  dagre.setGraph({ rankdir: "LR", nodesep: 12, ranksep: 60, ranker: "longest-path" });
  dagre.setDefaultEdgeLabel(() => ({}));
  for (const node of nodes) dagre.setNode(node.id, { width: WIDTH, height: HEIGHT });
  for (const edge of edges) dagre.setEdge(edge.from, edge.to);
  // A tree is given in an order without crossings: looking for a better one takes most of the time, and finds none.
  layout(dagre, { disableOptimalOrderHeuristic: true });
  return new Map(
    nodes.map(({ id }) => {
      const { x, y } = dagre.node(id) as { x: number; y: number };
      return [id, { x: x - WIDTH / 2, y: y - HEIGHT / 2 }];
    }),
  );
}
