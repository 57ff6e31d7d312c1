import type { TreeNode } from "@/api/schema";

export interface GraphNode {
  readonly id: string;
  readonly title: string;
  readonly status: string;
  readonly cost: string;
  readonly totalCost: string;
  readonly children: number;
  /** How many are below it in all. */
  readonly below: number;
  readonly collapsed: boolean;
  readonly critical: boolean;
}

export interface Graph {
  readonly nodes: GraphNode[];
  readonly edges: { from: string; to: string; critical: boolean }[];
}

const OPEN = new Set(["pending", "queued", "running", "paused", "degraded"]);

interface Measured {
  readonly node: TreeNode;
  readonly children: Measured[];
  readonly below: number;
  /** What of the tree is still to be done on the longest way down. */
  readonly length: number;
}

/** What still runs weighs more than any number of finished steps: the critical path is the one that people wait for. */
const OPEN_WEIGHT = 1000;

function measure(node: TreeNode): Measured {
  const children = node.children.map(measure);
  const longest = children.reduce((most, child) => Math.max(most, child.length), 0);
  return {
    node,
    children,
    below: children.reduce((sum, child) => sum + child.below + 1, 0),
    length: longest + 1 + (OPEN.has(node.status) ? OPEN_WEIGHT : 0),
  };
}

/** The way down the tree that takes longest: by what is still open on it, then by its steps. */
function critical(root: Measured): Set<string> {
  const path = new Set([root.node.id]);
  let at = root;
  while (at.children.length > 0) {
    at = at.children.reduce((best, child) => (child.length > best.length ? child : best));
    path.add(at.node.id);
  }
  return path;
}

/** A tree as nodes and edges, without what is folded in. */
export function graph(tree: TreeNode, collapsed: ReadonlySet<string>): Graph {
  const root = measure(tree);
  const path = critical(root);
  const nodes: GraphNode[] = [];
  const edges: Graph["edges"] = [];
  const add = ({ node, children, below }: Measured) => {
    const folded = collapsed.has(node.id) && children.length > 0;
    nodes.push({
      id: node.id,
      title: node.title,
      status: node.status,
      cost: node.cost_usd,
      totalCost: node.total_cost_usd,
      children: children.length,
      below,
      collapsed: folded,
      critical: path.has(node.id),
    });
    if (folded) return;
    for (const child of children) {
      edges.push({ from: node.id, to: child.node.id, critical: path.has(node.id) && path.has(child.node.id) });
      add(child);
    }
  };
  add(root);
  return { nodes, edges };
}

/** Beyond so many nodes the deep ones begin folded: a graph that one cannot read shows nothing. */
export const UNFOLDED = 150;

/** What is folded at first, so that about so many nodes are seen. */
export function foldedAtFirst(tree: TreeNode, most = UNFOLDED): Set<string> {
  const folded = new Set<string>();
  let seen = 1;
  let level = [tree];
  while (level.length > 0) {
    const next = level.flatMap((node) => node.children);
    if (next.length > 0 && seen + next.length > most && seen > 1) {
      for (const node of level) if (node.children.length > 0) folded.add(node.id);
      return folded;
    }
    seen += next.length;
    level = next;
  }
  return folded;
}
