"use client";

import Link from "next/link";
import { usePathname } from "next/navigation";
import { useFirstSessions, useSessionStats } from "@/api/queries/sessions";
import { cx } from "@/components/class-names";
import { asks } from "@/modules/session/actions";
import { Mark } from "./mark";
import { GROUPS, type Page } from "./pages";

const BELONGS: Readonly<Record<string, string>> = {
  "/session/": "/sessions/",
  "/agent/": "/agents/",
  "/fine-tuning/new/": "/fine-tuning/",
  "/training/": "/fine-tuning/",
  "/model/": "/models/",
  "/experiments/new/": "/experiments/",
  "/experiment/": "/experiments/",
};

function NavigationLink({ page, here, count, onGo }: { page: Page; here: boolean; count?: number; onGo?(): void }) {
  const Icon = page.icon;
  return (
    <Link
      href={page.path}
      onClick={onGo}
      aria-current={here ? "page" : undefined}
      title={`${page.title} (${page.keys})`}
      className={cx(
        "relative flex h-8 items-center gap-2.5 rounded-md px-2.5 text-[0.8125rem]",
        here ? "bg-accent-soft font-medium text-text" : "text-muted hover:bg-raised hover:text-text",
      )}
    >
      {here && <span aria-hidden className="absolute inset-y-1.5 -left-2 w-0.5 rounded-full bg-accent" />}
      <Icon aria-hidden className={cx("size-4", here && "text-accent")} strokeWidth={1.75} />
      <span className="flex-1 truncate">{page.title}</span>
      {count !== undefined && count > 0 && <span className="figure text-2xs text-muted">{count}</span>}
    </Link>
  );
}

export function Navigation({ permissions, onGo }: { permissions: readonly string[]; onGo?(): void }) {
  const path = usePathname();
  const stats = useSessionStats();
  const paused = useFirstSessions({ status: "paused" }, 50);
  const current = BELONGS[path] ?? path;
  const counts: Record<string, number | undefined> = {
    "/": paused.data?.items.filter(asks).length,
    "/sessions/": stats.data?.active,
  };
  return (
    <nav aria-label="Main" className="flex h-full flex-col gap-4 overflow-y-auto p-3">
      <Link href="/" onClick={onGo} className="flex items-center gap-2 px-1.5 py-1">
        <Mark className="size-5 text-accent" />
        <span className="font-semibold tracking-tight">ioc</span>
      </Link>
      {GROUPS.map((group) => (
        <div key={group.title} className="flex flex-col gap-0.5">
          <p className="label px-2.5 pb-1">{group.title}</p>
          {group.pages
            .filter((page) => !page.needs || permissions.includes(page.needs))
            .map((page) => (
              <NavigationLink
                key={page.path}
                page={page}
                here={page.path === current}
                count={counts[page.path]}
                onGo={onGo}
              />
            ))}
        </div>
      ))}
    </nav>
  );
}
