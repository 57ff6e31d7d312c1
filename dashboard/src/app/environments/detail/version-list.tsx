import Link from "next/link";
import type { EnvironmentVersion } from "@/api/fleet-types";
import { cx } from "@/components/class-names";
import { EmptyState } from "@/components/content-states";
import type { PagedState } from "@/components/load-state";
import { SectionPanel } from "@/components/page-layout";
import { PagedList } from "@/components/paged-list";
import { RelativeTime } from "@/components/relative-time";
import { changedFields, draftOf, readEnvironmentDraft } from "@/modules/environment/environment-draft";
import { environmentPath } from "@/modules/environment/paths";
import { fieldTitle } from "@/modules/environment/titles";

/** What changed from one version to the next, in words. */
function describeChange(before: EnvironmentVersion, after: EnvironmentVersion): string {
  const request = (version: EnvironmentVersion) => readEnvironmentDraft(draftOf(version.name, false, version));
  const names = Object.keys(changedFields(request(before), request(after)));
  return names.length > 0 ? names.map(fieldTitle).join(", ") : "nothing that is shown";
}

interface VersionListProps {
  id: string;
  versions: PagedState<EnvironmentVersion>;
  /** The version that is shown. */
  shown?: number;
}

/** The versions, newest first, each with what it changed. */
export function VersionList({ id, versions, shown }: VersionListProps) {
  return (
    <SectionPanel title="Versions">
      <PagedList state={versions} empty={<EmptyState title="There are no versions." />}>
        {(items) => (
          <ol className="text-[0.8125rem]">
            {items.map((one, index) => {
              const before = items[index + 1];
              return (
                <li
                  key={one.version}
                  className={cx("border-b border-line last:border-0", one.version === shown && "bg-accent-soft")}
                >
                  <Link
                    href={environmentPath(id, one.version)}
                    aria-current={one.version === shown ? "true" : undefined}
                    className="block px-3 py-1.5 hover:underline"
                  >
                    <span className="flex items-baseline gap-2">
                      <span className="figure font-medium">Version {one.version}</span>
                      <RelativeTime at={one.created_at} className="ml-auto text-xs text-muted" />
                    </span>
                    <span className="block text-xs text-muted">
                      {one.created_by.name}
                      {before ? `: ${describeChange(before, one)}` : one.version === 1 && ": created"}
                    </span>
                  </Link>
                </li>
              );
            })}
          </ol>
        )}
      </PagedList>
    </SectionPanel>
  );
}
