"use client";

import { useQueryClient } from "@tanstack/react-query";
import { Menu } from "lucide-react";
import { useRouter } from "next/navigation";
import { Dialog } from "radix-ui";
import { type ReactNode, useMemo, useState } from "react";
import { isAtLeast } from "@/api/roles";
import { type Me, roleValues } from "@/api/schema";
import { IconButton } from "@/components/action-button";
import { ErrorAlert, LoadingState } from "@/components/content-states";
import { useTopicSubscription } from "@/hooks/live-connection";
import { useShortcuts } from "@/hooks/use-shortcuts";
import { toggleTheme } from "@/hooks/use-theme";
import { tenancyKeys, useMe } from "@/queries/tenancy";
import { ConnectionIndicator } from "./connection-indicator";
import { MainNavigation } from "./navigation";
import { NAVIGATION_PAGES } from "./pages";
import { SessionSearch } from "./session-search";
import { ShortcutDialog } from "./shortcut-dialog";
import { TenantSwitcher } from "./tenant-switcher";
import { ThemeToggle } from "./theme-toggle";
import { UserMenu } from "./user-menu";

/** What the navigation can require: the permissions, the role, and all roles below it. */
function heldPermissions(me?: Me): readonly string[] {
  if (!me) return [];
  return [...me.permissions, ...roleValues.filter((role) => isAtLeast(me.role, role)).map((role) => `role:${role}`)];
}

export function AppShell({ children }: { children: ReactNode }) {
  const me = useMe();
  const router = useRouter();
  const queries = useQueryClient();
  const [helped, setHelped] = useState(false);
  const [drawn, setDrawn] = useState(false);
  useTopicSubscription("/ws/sessions");
  useTopicSubscription("/ws/agents");
  useTopicSubscription("/ws/fine-tuning");
  useTopicSubscription("/ws/system");

  const shortcuts = useMemo(() => {
    const go = Object.fromEntries(NAVIGATION_PAGES.map((page) => [page.keys, () => router.push(page.path)]));
    return {
      ...go,
      "?": () => setHelped(true),
      "/": () => document.querySelector<HTMLInputElement>("[data-search]")?.focus(),
      n: () => router.push("/sessions/new/"),
      t: toggleTheme,
      r: () => void queries.invalidateQueries(),
    };
  }, [router, queries]);
  useShortcuts(shortcuts);

  return (
    <div className="flex min-h-dvh">
      <a
        href="#content"
        className="sr-only z-50 rounded bg-accent px-3 py-2 text-accent-text focus:not-sr-only focus:fixed focus:top-2 focus:left-2"
      >
        Skip to content
      </a>
      <aside className="sticky top-0 hidden h-dvh w-48 shrink-0 border-r border-line bg-surface md:block">
        <MainNavigation permissions={heldPermissions(me.data)} />
      </aside>
      <div className="flex min-w-0 flex-1 flex-col">
        <header className="sticky top-0 z-30 flex h-12 items-center gap-2 border-b border-line bg-surface px-3 md:px-4">
          <Dialog.Root open={drawn} onOpenChange={setDrawn}>
            <Dialog.Trigger asChild>
              <IconButton label="Menu" className="md:hidden">
                <Menu aria-hidden className="size-4" />
              </IconButton>
            </Dialog.Trigger>
            <Dialog.Portal>
              <Dialog.Overlay className="fixed inset-0 z-40 bg-black/55" />
              <Dialog.Content
                aria-describedby={undefined}
                className="fixed inset-y-0 left-0 z-50 w-60 border-r border-line bg-surface"
              >
                <Dialog.Title className="sr-only">Menu</Dialog.Title>
                <MainNavigation permissions={heldPermissions(me.data)} onGo={() => setDrawn(false)} />
              </Dialog.Content>
            </Dialog.Portal>
          </Dialog.Root>
          <SessionSearch />
          <div className="ml-auto flex items-center gap-1.5">
            <ConnectionIndicator />
            {me.data && <TenantSwitcher me={me.data} />}
            <ThemeToggle />
            {me.data && <UserMenu me={me.data} onHelp={() => setHelped(true)} />}
          </div>
        </header>
        <main id="content" tabIndex={-1} className="min-w-0 flex-1 p-3 outline-none md:p-4">
          {me.isLoadingError ? (
            <ErrorAlert error={me.error} retry={() => void queries.invalidateQueries({ queryKey: tenancyKeys.me })} />
          ) : me.data ? (
            children
          ) : (
            <LoadingState />
          )}
        </main>
      </div>
      <ShortcutDialog open={helped} onOpenChange={setHelped} />
    </div>
  );
}
