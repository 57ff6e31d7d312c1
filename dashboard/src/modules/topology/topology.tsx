"use client";

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
} from "@xyflow/react";
import { Minus, Plus } from "lucide-react";
import { useRouter } from "next/navigation";
import { memo, useCallback, useMemo, useState } from "react";
import type { TreeNode } from "@/api/schema";
import { Button } from "@/components/button";
import { cx } from "@/components/class-names";
import { usd, words } from "@/components/format";
import { useTheme } from "@/modules/shell/theme";
import { StatusShape } from "@/modules/status/badge";
import { look } from "@/modules/status/status";
import { foldedAtFirst, type GraphNode, graph } from "./graph";
import { HEIGHT, places, WIDTH } from "./layout";

type SessionNode = Node<{ session: GraphNode; here: boolean; fold(id: string): void }, "session">;

const Box = memo(function Box({ data: { session, here, fold } }: NodeProps<SessionNode>) {
  const { colour } = look(session.status);
  return (
    <div
      className={cx(
        "panel flex h-full overflow-hidden",
        session.critical && "border-accent",
        here && "ring-2 ring-accent",
      )}
      style={{ width: WIDTH, height: HEIGHT }}
    >
      <Handle type="target" position={Position.Left} className="invisible" />
      <span aria-hidden className="w-1 shrink-0" style={{ backgroundColor: colour }} />
      <div className="flex min-w-0 flex-1 flex-col justify-center px-2">
        <p className="truncate text-xs font-medium" title={session.title}>
          {session.title}
        </p>
        <p className="mt-0.5 flex items-center gap-1 text-2xs text-muted">
          <StatusShape status={session.status} className="size-2.5" />
          {words(session.status)}
          <span className="figure ml-auto">{usd(session.collapsed ? session.totalCost : session.cost)}</span>
        </p>
      </div>
      {session.children > 0 && (
        <button
          type="button"
          aria-expanded={!session.collapsed}
          aria-label={session.collapsed ? `Unfold the ${session.below} below` : "Fold what is below"}
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

const KINDS = { session: Box };

/** A session's tree as a graph, in the colours of its states, with the way that people wait for. */
export function Topology({ tree, here }: { tree: TreeNode; here: string }) {
  const router = useRouter();
  const theme = useTheme();
  const [folded, setFolded] = useState<ReadonlySet<string>>(() => foldedAtFirst(tree));
  const fold = useCallback((id: string) => {
    setFolded((old) => {
      const next = new Set(old);
      if (!next.delete(id)) next.add(id);
      return next;
    });
  }, []);
  const drawn = useMemo(() => graph(tree, folded), [tree, folded]);
  // States change often and shapes seldom: the places are found anew only when nodes come or go.
  const shape = drawn.edges.map((edge) => edge.to).join();
  // biome-ignore lint/correctness/useExhaustiveDependencies: the shape says whether anything moved
  const at = useMemo(() => places(drawn), [shape]);

  const nodes = useMemo<SessionNode[]>(
    () =>
      drawn.nodes.map((session) => ({
        id: session.id,
        type: "session",
        position: at.get(session.id) ?? { x: 0, y: 0 },
        data: { session, here: session.id === here, fold },
        width: WIDTH,
        height: HEIGHT,
        ariaLabel: `${session.title}, ${words(session.status)}`,
      })),
    [drawn, at, here, fold],
  );
  const edges = useMemo<Edge[]>(
    () =>
      drawn.edges.map((edge) => ({
        id: `${edge.from} ${edge.to}`,
        source: edge.from,
        target: edge.to,
        style: { stroke: edge.critical ? "var(--accent)" : "var(--line-strong)", strokeWidth: edge.critical ? 2 : 1 },
      })),
    [drawn],
  );

  return (
    <div>
      <div className="mb-2 flex flex-wrap items-center gap-2 text-xs text-muted">
        <Button small onClick={() => setFolded(new Set())}>
          Unfold all
        </Button>
        <Button
          small
          onClick={() =>
            setFolded(new Set(tree.children.filter((child) => child.children.length > 0).map((child) => child.id)))
          }
        >
          Fold all
        </Button>
        <span className="figure">
          {drawn.nodes.length} of {(drawn.nodes[0]?.below ?? 0) + 1} shown
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
          onNodeClick={(_, node) => node.id !== here && router.push(`/session/?id=${node.id}`)}
        >
          <Background gap={24} color="var(--line)" />
          <Controls showInteractive={false} />
          {drawn.nodes.length > 30 && (
            <MiniMap pannable zoomable nodeColor={(node) => look((node as SessionNode).data.session.status).colour} />
          )}
        </ReactFlow>
      </div>
    </div>
  );
}
