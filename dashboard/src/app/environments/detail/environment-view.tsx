"use client";

import Link from "next/link";
import type { ReactNode } from "react";
import type { Environment, EnvironmentVersion } from "@/api/fleet-types";
import { EmptyState } from "@/components/content-states";
import type { PagedState } from "@/components/load-state";
import { loadedItems } from "@/components/load-state";
import { NoticeBox } from "@/components/notice-box";
import { FactList, LabelChip, PageHeader, SectionPanel } from "@/components/page-layout";
import { RelativeTime } from "@/components/relative-time";
import { environmentPath } from "@/modules/environment/paths";
import { EnvironmentSpecPanels } from "./environment-spec-panels";
import { VersionList } from "./version-list";

interface EnvironmentViewProps {
  environment: Environment;
  versions: PagedState<EnvironmentVersion>;
  /** The version to show. Absent for the newest. */
  version?: number;
  actions: ReactNode;
}

export function EnvironmentView({ environment, versions, version, actions }: EnvironmentViewProps) {
  const older = version !== undefined && version !== environment.version;
  const shown = older ? loadedItems(versions).find((one) => one.version === version) : environment;
  return (
    <div className="mx-auto flex max-w-[120rem] flex-col gap-3">
      <PageHeader
        title={environment.name}
        aside={environment.is_default && <LabelChip>the tenant's default</LabelChip>}
      >
        {actions}
      </PageHeader>
      {older && (
        <NoticeBox>
          This is version {version}, which sessions that were created with it still use.{" "}
          <Link href={environmentPath(environment.id)} className="underline underline-offset-2">
            Show the newest, {environment.version}
          </Link>
          .
        </NoticeBox>
      )}
      <div className="grid items-start gap-3 lg:grid-cols-[minmax(0,1fr)_20rem]">
        <div className="flex min-w-0 flex-col gap-3">
          {shown ? (
            <EnvironmentSpecPanels spec={shown} />
          ) : (
            <EmptyState title={`Version ${version} is not loaded.`}>
              Load older versions beside this, or check the number.
            </EmptyState>
          )}
        </div>
        <div className="flex flex-col gap-3">
          <SectionPanel title="Details">
            <FactList
              items={[
                [
                  "Version",
                  <span key="version" className="figure">
                    {environment.version}
                  </span>,
                ],
                ["Changed", <RelativeTime key="updated" at={environment.updated_at} />],
                ["Created", <RelativeTime key="created" at={environment.created_at} />],
                ["Created by", environment.created_by.name],
              ]}
            />
          </SectionPanel>
          <VersionList id={environment.id} versions={versions} shown={shown?.version} />
        </div>
      </div>
    </div>
  );
}
