"use client";

import { Plus } from "lucide-react";
import Link from "next/link";
import type { Environment } from "@/api/fleet-types";
import { ButtonLink } from "@/components/button-link";
import { EmptyState } from "@/components/content-states";
import { DataTable, HeaderCell, TableCell, TableRow } from "@/components/data-table";
import type { ListState } from "@/components/load-state";
import { LoadedContent } from "@/components/loaded-content";
import { LabelChip, PageHeader, SectionPanel } from "@/components/page-layout";
import { RelativeTime } from "@/components/relative-time";
import { environmentPath } from "@/modules/environment/paths";
import { NETWORK_TITLES } from "@/modules/environment/titles";

/** The repositories without what all their URLs have in common. */
function repositoryNames(environment: Environment): string {
  const names = (environment.repositories ?? []).map(({ url }) => url.replace(/^https:\/\//, "").replace(/\.git$/, ""));
  return names.join(", ") || "none";
}

function EnvironmentRow({ environment }: { environment: Environment }) {
  return (
    <TableRow>
      <TableCell>
        <Link href={environmentPath(environment.id)} className="font-medium hover:underline">
          {environment.name}
        </Link>
        {environment.is_default && <LabelChip className="ml-2">default</LabelChip>}
      </TableCell>
      <TableCell className="figure text-right text-xs">{environment.version}</TableCell>
      <TableCell className="figure max-w-96 truncate text-xs" title={repositoryNames(environment)}>
        {repositoryNames(environment)}
      </TableCell>
      <TableCell>{environment.agent?.program ?? <span className="text-muted">any</span>}</TableCell>
      <TableCell className="text-xs">{NETWORK_TITLES[environment.network?.agent ?? "none"]}</TableCell>
      <TableCell>{environment.minimum_isolation ?? "none"}</TableCell>
      <TableCell className="text-xs whitespace-nowrap text-muted">
        <RelativeTime at={environment.updated_at} />
      </TableCell>
    </TableRow>
  );
}

const HEADS = ["Environment", "Version", "Repositories", "Program", "The agent reaches", "Isolation", "Changed"];
const RIGHT = new Set(["Version"]);

interface EnvironmentListViewProps {
  environments: ListState<Environment>;
  mayCreate: boolean;
}

export function EnvironmentListView({ environments, mayCreate }: EnvironmentListViewProps) {
  return (
    <div className="mx-auto max-w-[120rem]">
      <PageHeader title="Environments">
        {mayCreate && (
          <ButtonLink primary href="/environments/new/">
            <Plus aria-hidden className="size-4" /> New environment
          </ButtonLink>
        )}
      </PageHeader>
      <SectionPanel title="Environments of this tenant">
        <LoadedContent state={environments}>
          {({ items }) =>
            items.length === 0 ? (
              <EmptyState title="There are no environments yet.">
                An environment says where and with what sessions work: repositories, a set-up script, secrets, network
                and permissions. Sessions also run without one.
              </EmptyState>
            ) : (
              <DataTable
                label="Environments"
                head={HEADS.map((head) => (
                  <HeaderCell key={head} className={RIGHT.has(head) ? "text-right" : undefined}>
                    {head}
                  </HeaderCell>
                ))}
              >
                {items.map((environment) => (
                  <EnvironmentRow key={environment.id} environment={environment} />
                ))}
              </DataTable>
            )
          }
        </LoadedContent>
      </SectionPanel>
    </div>
  );
}
