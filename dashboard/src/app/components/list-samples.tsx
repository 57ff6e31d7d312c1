"use client";

import { useState } from "react";
import { DataTable, HeaderCell, TableCell, TableRow } from "@/components/data-table";
import type { PagedState } from "@/components/load-state";
import { SectionPanel } from "@/components/page-layout";
import { PagedList } from "@/components/paged-list";
import { TabbedPanels } from "@/components/tabbed-panels";

const TABS = [
  { id: "first", title: "First", content: <p className="p-3 text-[0.8125rem]">The content of the first tab.</p> },
  {
    id: "second",
    title: "Second",
    count: 3,
    content: <p className="p-3 text-[0.8125rem]">The content of the second tab.</p>,
  },
];

const NAMES: PagedState<string> = {
  data: { pages: [{ items: ["reviewer", "planner"] }] },
  isPending: false,
  error: null,
  refetch: () => undefined,
  hasNextPage: true,
  isFetchingNextPage: false,
  fetchNextPage: () => undefined,
};

export function ListSamples() {
  const [tab, setTab] = useState("first");
  return (
    <>
      <SectionPanel title="Paged table">
        <PagedList state={NAMES} empty={null}>
          {(names) => (
            <DataTable
              label="Sample models"
              head={
                <>
                  <HeaderCell>Model</HeaderCell>
                  <HeaderCell className="text-right">Letters</HeaderCell>
                </>
              }
            >
              {names.map((name) => (
                <TableRow key={name}>
                  <TableCell>{name}</TableCell>
                  <TableCell className="figure text-right">{name.length}</TableCell>
                </TableRow>
              ))}
            </DataTable>
          )}
        </PagedList>
      </SectionPanel>
      <div className="panel">
        <TabbedPanels label="Sample tabs" tabs={TABS} value={tab} onChange={setTab} />
      </div>
    </>
  );
}
