"use client";

import { CircleUser, Keyboard, LogOut } from "lucide-react";
import { DropdownMenu } from "radix-ui";
import type { Me } from "@/api/schema";
import { useCredential } from "@/hooks/use-credential";
import { signOut } from "@/login/sign-out";

const ITEM = "flex items-center gap-2 rounded px-2 py-1.5 text-[0.8125rem] outline-none data-highlighted:bg-raised";

export function UserMenu({ me, onHelp }: { me: Me; onHelp(): void }) {
  const login = useCredential()?.login;
  const name = me.user?.full_name ?? me.key?.name ?? "You";
  return (
    <DropdownMenu.Root>
      <DropdownMenu.Trigger
        aria-label="You"
        className="inline-flex size-8 items-center justify-center rounded-md text-muted hover:bg-raised hover:text-text"
      >
        <CircleUser aria-hidden className="size-4" />
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content align="end" sideOffset={6} className="panel z-50 w-60 p-1 shadow-(--shadow)">
          <div className="border-b border-line px-2 pt-1 pb-2">
            <p className="truncate font-medium">{name}</p>
            <p className="text-xs text-muted">
              {me.role} of {me.tenant.name}
            </p>
            {login && <p className="mt-1 truncate text-2xs text-muted">Logged in at {login.issuer}</p>}
            {me.key && <p className="figure mt-1 truncate text-2xs text-muted">{me.key.prefix}</p>}
          </div>
          <DropdownMenu.Item className={ITEM} onSelect={onHelp}>
            <Keyboard aria-hidden className="size-4 text-muted" /> Keyboard shortcuts
          </DropdownMenu.Item>
          <DropdownMenu.Item className={ITEM} onSelect={() => void signOut()}>
            <LogOut aria-hidden className="size-4 text-muted" /> Sign out
          </DropdownMenu.Item>
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}
