"use client";

import type { TreeGraph } from "./build-graph";

import "@xyflow/react/dist/base.css";
import {
  Background,
  Controls,
  type Edge,
  Handle,
  MiniMap,
  type Node,
  type NodeProps,
  Position,
  ReactFlow,
  type XYPosition,
} from "@xyflow/react";
import { Minus, Plus } from "lucide-react";
import { useRouter } from "next/navigation";
import { memo, useCallback, useMemo, useState } from "react";
import type { TreeNode } from "@/api/schema";
import { ActionButton } from "@/components/action-button";
import { cx } from "@/components/class-names";
import { formatUsd, formatWords } from "@/components/format";
import { useTheme } from "@/hooks/use-theme";
import { StatusShape } from "@/modules/status/status-badge";
import { statusStyle } from "@/modules/status/status-styles";
import { buildGraph, type GraphNode, initiallyFolded } from "./build-graph";
import { layoutNodes, NODE_HEIGHT, NODE_WIDTH } from "./layout";

type SessionNode = Node<{ session: GraphNode; here: boolean; fold(id: string): void }, "session">;

const GraphNodeBox = memo(function Box({ data: { session, here, fold } }: NodeProps<SessionNode>) {
  const { colour } = statusStyle(session.status);
  return (
    <div
      className={cx(
        "panel flex h-full overflow-hidden",
        session.critical && "border-accent",
        here && "ring-2 ring-accent",
      )}
      style={{ width: NODE_WIDTH, height: NODE_HEIGHT }}
    >
      <Handle type="target" position={Position.Left} className="invisible" />
      <span aria-hidden className="w-1 shrink-0" style={{ backgroundColor: colour }} />
      <div className="flex min-w-0 flex-1 flex-col justify-center px-2">
        <p className="truncate text-xs font-medium" title={session.title}>
          {session.title}
        </p>
        <p className="mt-0.5 flex items-center gap-1 text-2xs text-muted">
          <StatusShape status={session.status} className="size-2.5" />
          {formatWords(session.status)}
          <span className="figure ml-auto">{formatUsd(session.collapsed ? session.totalCost : session.cost)}</span>
        </p>
      </div>
      {session.children > 0 && (
        <button
          type="button"
          aria-expanded={!session.collapsed}
          aria-label={session.collapsed ? `Unfold ${session.below} descendants` : "Fold descendants"}
          onClick={(event) => {
            event.stopPropagation();
            fold(session.id);
          }}
          className="nodrag figure flex w-7 shrink-0 flex-col items-center justify-center border-l border-line text-2xs text-muted hover:bg-raised"
        >
          {session.collapsed ? <Plus aria-hidden className="size-3" /> : <Minus aria-hidden className="size-3" />}
          {session.below}
        </button>
      )}
      <Handle type="source" position={Position.Right} className="invisible" />
    </div>
  );
});

const KINDS = { session: GraphNodeBox };

function graphNodes(
  graph: TreeGraph,
  places: ReadonlyMap<string, XYPosition>,
  here: string,
  fold: (id: string) => void,
): SessionNode[] {
  return graph.nodes.map((session) => ({
    id: session.id,
    type: "session",
    position: places.get(session.id) ?? { x: 0, y: 0 },
    data: { session, here: session.id === here, fold },
    width: NODE_WIDTH,
    height: NODE_HEIGHT,
    ariaLabel: `${session.title}, ${formatWords(session.status)}`,
  }));
}

function graphEdges(graph: TreeGraph): Edge[] {
  return graph.edges.map((edge) => ({
    id: `${edge.from} ${edge.to}`,
    source: edge.from,
    target: edge.to,
    style: { stroke: edge.critical ? "var(--accent)" : "var(--line-strong)", strokeWidth: edge.critical ? 2 : 1 },
  }));
}

/** The ids of the nodes that are folded, and a function that folds or unfolds one. */
function useFolding(tree: TreeNode) {
  const [folded, setFolded] = useState<ReadonlySet<string>>(() => initiallyFolded(tree));
  const fold = useCallback((id: string) => {
    setFolded((old) => {
      const next = new Set(old);
      if (!next.delete(id)) next.add(id);
      return next;
    });
  }, []);
  return { folded, setFolded, fold };
}

/** A session's tree as a graph in the colours of its states, with its critical path. */
export function TopologyGraph({ tree, here }: { tree: TreeNode; here: string }) {
  const router = useRouter();
  const theme = useTheme();
  const { folded, setFolded, fold } = useFolding(tree);
  const graph = useMemo(() => buildGraph(tree, folded), [tree, folded]);
  // States change often and the shape seldom: the layout is computed again only when nodes come or go.
  const shape = graph.edges.map((edge) => edge.to).join();
  // biome-ignore lint/correctness/useExhaustiveDependencies: the shape says whether any node moved
  const places = useMemo(() => layoutNodes(graph), [shape]);
  const nodes = useMemo(() => graphNodes(graph, places, here, fold), [graph, places, here, fold]);
  const edges = useMemo(() => graphEdges(graph), [graph]);
  const branches = tree.children.filter((child) => child.children.length > 0).map((child) => child.id);
  return (
    <div>
      <div className="mb-2 flex flex-wrap items-center gap-2 text-xs text-muted">
        <ActionButton small onClick={() => setFolded(new Set())}>
          Unfold all
        </ActionButton>
        <ActionButton small onClick={() => setFolded(new Set(branches))}>
          Fold all
        </ActionButton>
        <span className="figure">
          {graph.nodes.length} of {(graph.nodes[0]?.below ?? 0) + 1} shown
        </span>
        <span className="ml-auto flex items-center gap-1.5">
          <span aria-hidden className="h-0.5 w-5 bg-accent" /> critical path
        </span>
      </div>
      <div className="h-[32rem] overflow-hidden rounded-md border border-line">
        <ReactFlow
          nodes={nodes}
          edges={edges}
          nodeTypes={KINDS}
          colorMode={theme}
          fitView
          minZoom={0.05}
          nodesDraggable={false}
          nodesConnectable={false}
          onlyRenderVisibleElements
          proOptions={{ hideAttribution: true }}
          onNodeClick={(_, node) => node.id !== here && router.push(`/sessions/detail/?id=${node.id}`)}
        >
          <Background gap={24} color="var(--line)" />
          <Controls showInteractive={false} />
          {graph.nodes.length > 30 && (
            <MiniMap
              pannable
              zoomable
              nodeColor={(node) => statusStyle((node as SessionNode).data.session.status).colour}
            />
          )}
        </ReactFlow>
      </div>
    </div>
  );
}
