"use client";

import Link from "next/link";
import { usePathname } from "next/navigation";
import { cx } from "@/components/class-names";
import { needsAnswer } from "@/modules/session/actions";
import { useFirstSessions, useSessionStats } from "@/queries/sessions";
import { NAVIGATION_GROUPS, type NavigationPage } from "./pages";
import { ProductMark } from "./product-mark";

const PARENT_PAGES: Readonly<Record<string, string>> = {
  "/sessions/detail/": "/sessions/",
  "/agents/detail/": "/agents/",
  "/runners/detail/": "/runners/",
  "/environments/new/": "/environments/",
  "/environments/edit/": "/environments/",
  "/environments/detail/": "/environments/",
  "/fine-tuning/new/": "/fine-tuning/",
  "/fine-tuning/detail/": "/fine-tuning/",
  "/models/detail/": "/models/",
  "/experiments/new/": "/experiments/",
  "/experiments/detail/": "/experiments/",
};

function NavigationLink({
  page,
  here,
  count,
  onGo,
}: {
  page: NavigationPage;
  here: boolean;
  count?: number;
  onGo?(): void;
}) {
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

export function MainNavigation({ permissions, onGo }: { permissions: readonly string[]; onGo?(): void }) {
  const path = usePathname();
  const stats = useSessionStats();
  const paused = useFirstSessions({ status: "paused" }, 50);
  const current = PARENT_PAGES[path] ?? path;
  const counts: Record<string, number | undefined> = {
    "/": paused.data?.items.filter(needsAnswer).length,
    "/sessions/": stats.data?.active,
  };
  return (
    <nav aria-label="Main" className="flex h-full flex-col gap-4 overflow-y-auto p-3">
      <Link href="/" onClick={onGo} className="flex items-center gap-2 px-1.5 py-1">
        <ProductMark className="size-5 text-accent" />
        <span className="font-semibold tracking-tight">ioc</span>
      </Link>
      {NAVIGATION_GROUPS.map((group) => (
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
