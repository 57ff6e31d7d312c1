"use client";

import dynamic from "next/dynamic";
import Link from "next/link";
import { useState } from "react";
import type { TreeNode } from "@/api/schema";
import { ActionButton } from "@/components/action-button";
import { cx } from "@/components/class-names";
import { EmptyState, ErrorAlert, LoadingState } from "@/components/content-states";
import { formatCompact, formatUsd } from "@/components/format";
import { StatusBadge } from "@/modules/status/status-badge";
import { useSessionTree } from "@/queries/sessions";

/** The graph needs a library of its own, which is only loaded when the graph is shown. */
const LazyTopologyGraph = dynamic(
  () => import("@/modules/topology/topology-graph").then((module) => module.TopologyGraph),
  {
    ssr: false,
    loading: () => <LoadingState />,
  },
);

function TreeBranch({ node, here, last }: { node: TreeNode; here: string; last?: boolean }) {
  return (
    <li className={cx("relative", last && "")}>
      <div className={cx("flex items-center gap-2 rounded py-1 pr-2 pl-1", node.id === here && "bg-accent-soft")}>
        <StatusBadge status={node.status} />
        <Link
          href={`/sessions/detail/?id=${node.id}`}
          aria-current={node.id === here ? "true" : undefined}
          className="min-w-0 flex-1 truncate hover:underline"
        >
          {node.title}
        </Link>
        <span className="figure text-xs text-muted max-sm:hidden">{formatCompact(node.tokens)} tok</span>
        <span className="figure w-16 text-right text-xs" title="Including its descendants">
          {formatUsd(node.total_cost_usd)}
        </span>
      </div>
      {node.children.length > 0 && (
        <ul className="ml-3 border-l border-line-strong pl-3">
          {node.children.map((child) => (
            <TreeBranch key={child.id} node={child} here={here} />
          ))}
        </ul>
      )}
    </li>
  );
}

/** A session with all its descendants, as a list and as a graph. */
export function SessionTree({ id, root }: { id: string; root: string }) {
  const tree = useSessionTree(root);
  const [graph, setGraph] = useState(true);
  if (tree.isPending) return <LoadingState />;
  if (tree.isLoadingError) return <ErrorAlert error={tree.error} retry={() => void tree.refetch()} />;
  const single = tree.data.children.length === 0;
  return (
    <div className="p-3">
      <div className="mb-3 flex gap-1">
        <ActionButton small look={graph ? "primary" : "plain"} aria-pressed={graph} onClick={() => setGraph(true)}>
          Graph
        </ActionButton>
        <ActionButton small look={graph ? "plain" : "primary"} aria-pressed={!graph} onClick={() => setGraph(false)}>
          List
        </ActionButton>
      </div>
      {graph ? (
        <LazyTopologyGraph tree={tree.data} here={id} />
      ) : (
        <ul className="text-[0.8125rem]">
          <TreeBranch node={tree.data} here={id} />
        </ul>
      )}
      {single && !graph && <EmptyState title="The session has no children." />}
    </div>
  );
}
