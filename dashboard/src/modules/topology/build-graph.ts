import type { TreeNode } from "@/api/schema";

export interface GraphNode {
  readonly id: string;
  readonly title: string;
  readonly status: string;
  readonly cost: string;
  readonly totalCost: string;
  readonly children: number;
  /** The number of all descendants. */
  readonly below: number;
  readonly collapsed: boolean;
  readonly critical: boolean;
}

export interface TreeGraph {
  readonly nodes: GraphNode[];
  readonly edges: { from: string; to: string; critical: boolean }[];
}

const OPEN_STATES = new Set(["pending", "queued", "running", "paused", "degraded"]);

interface MeasuredNode {
  readonly node: TreeNode;
  readonly children: MeasuredNode[];
  readonly below: number;
  /** The weight of the heaviest path from here to a leaf. */
  readonly length: number;
}

/** An unfinished node outweighs any number of finished ones: the critical path is the one that delays the result. */
const OPEN_WEIGHT = 1000;

function measureNode(node: TreeNode): MeasuredNode {
  const children = node.children.map(measureNode);
  const longest = children.reduce((most, child) => Math.max(most, child.length), 0);
  return {
    node,
    children,
    below: children.reduce((sum, child) => sum + child.below + 1, 0),
    length: longest + 1 + (OPEN_STATES.has(node.status) ? OPEN_WEIGHT : 0),
  };
}

/** The heaviest path from the root to a leaf: most unfinished nodes first, then most nodes. */
function criticalPath(root: MeasuredNode): Set<string> {
  const path = new Set([root.node.id]);
  let at = root;
  while (at.children.length > 0) {
    at = at.children.reduce((best, child) => (child.length > best.length ? child : best));
    path.add(at.node.id);
  }
  return path;
}

/** Converts a tree to nodes and edges, without the descendants of folded nodes. */
export function buildGraph(tree: TreeNode, collapsed: ReadonlySet<string>): TreeGraph {
  const root = measureNode(tree);
  const path = criticalPath(root);
  const nodes: GraphNode[] = [];
  const edges: TreeGraph["edges"] = [];
  const add = ({ node, children, below }: MeasuredNode) => {
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

/** The number of nodes that are shown at first. Larger graphs are unreadable, so their deeper levels start folded. */
export const UNFOLDED_MAX = 150;

/** The nodes that start folded, so that at most about `most` nodes are visible. */
export function initiallyFolded(tree: TreeNode, most = UNFOLDED_MAX): Set<string> {
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
