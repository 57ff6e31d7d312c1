"use client";

import dynamic from "next/dynamic";
import Link from "next/link";
import { useState } from "react";
import { useTree } from "@/api/queries/sessions";
import type { TreeNode } from "@/api/schema";
import { Button } from "@/components/button";
import { cx } from "@/components/class-names";
import { compact, usd } from "@/components/format";
import { Empty, Failure, Loading } from "@/components/states";
import { StatusBadge } from "@/modules/status/badge";

/** The graph brings a library of its own: it is fetched when somebody looks at it. */
const Topology = dynamic(() => import("@/modules/topology/topology").then((module) => module.Topology), {
  ssr: false,
  loading: () => <Loading />,
});

function Branch({ node, here, last }: { node: TreeNode; here: string; last?: boolean }) {
  return (
    <li className={cx("relative", last && "")}>
      <div className={cx("flex items-center gap-2 rounded py-1 pr-2 pl-1", node.id === here && "bg-accent-soft")}>
        <StatusBadge status={node.status} />
        <Link
          href={`/session/?id=${node.id}`}
          aria-current={node.id === here ? "true" : undefined}
          className="min-w-0 flex-1 truncate hover:underline"
        >
          {node.title}
        </Link>
        <span className="figure text-xs text-muted max-sm:hidden">{compact(node.tokens)} tok</span>
        <span className="figure w-16 text-right text-xs" title="With its children">
          {usd(node.total_cost_usd)}
        </span>
      </div>
      {node.children.length > 0 && (
        <ul className="ml-3 border-l border-line-strong pl-3">
          {node.children.map((child) => (
            <Branch key={child.id} node={child} here={here} />
          ))}
        </ul>
      )}
    </li>
  );
}

/** A session with everything that came of it, as a list and as a graph. */
export function Tree({ id, root }: { id: string; root: string }) {
  const tree = useTree(root);
  const [graph, setGraph] = useState(true);
  if (tree.isPending) return <Loading />;
  if (tree.isLoadingError) return <Failure error={tree.error} retry={() => void tree.refetch()} />;
  const single = tree.data.children.length === 0;
  return (
    <div className="p-3">
      <div className="mb-3 flex gap-1">
        <Button small look={graph ? "primary" : "plain"} aria-pressed={graph} onClick={() => setGraph(true)}>
          Graph
        </Button>
        <Button small look={graph ? "plain" : "primary"} aria-pressed={!graph} onClick={() => setGraph(false)}>
          List
        </Button>
      </div>
      {graph ? (
        <Topology tree={tree.data} here={id} />
      ) : (
        <ul className="text-[0.8125rem]">
          <Branch node={tree.data} here={id} />
        </ul>
      )}
      {single && !graph && <Empty title="It has no children." />}
    </div>
  );
}
