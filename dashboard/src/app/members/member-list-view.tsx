"use client";

import { Plus } from "lucide-react";
import type { Role, User, UserPatch } from "@/api/schema";
import { ActionButton } from "@/components/action-button";
import { EmptyState } from "@/components/content-states";
import { DataTable, HeaderCell, TableCell, TableRow } from "@/components/data-table";
import type { ListState } from "@/components/load-state";
import { LoadedContent } from "@/components/loaded-content";
import { PageHeader, SectionPanel } from "@/components/page-layout";
import { RelativeTime } from "@/components/relative-time";
import { SelectInput } from "@/components/select-input";

interface MemberRowProps {
  user: User;
  /** The roles that the caller may assign. Members with another role cannot be changed. */
  roles: readonly Role[];
  busy: boolean;
  onChange(patch: UserPatch): void;
}

function MemberRow({ user, roles, busy, onChange }: MemberRowProps) {
  const editable = roles.includes(user.role);
  return (
    <TableRow>
      <TableCell>
        <p className="font-medium">{user.full_name}</p>
        <p className="text-xs text-muted">{user.email}</p>
      </TableCell>
      <TableCell>
        {editable ? (
          <SelectInput
            aria-label={`Role of ${user.full_name}`}
            className="h-7! w-28!"
            value={user.role}
            disabled={busy}
            onChange={(event) => onChange({ role: event.target.value as Role })}
          >
            {roles.map((role) => (
              <option key={role}>{role}</option>
            ))}
          </SelectInput>
        ) : (
          user.role
        )}
      </TableCell>
      <TableCell>{user.is_active ? "active" : "inactive"}</TableCell>
      <TableCell className="text-xs text-muted">
        {user.last_seen_at ? <RelativeTime at={user.last_seen_at} /> : "never"}
      </TableCell>
      <TableCell className="text-xs text-muted">
        <RelativeTime at={user.created_at} />
      </TableCell>
      <TableCell className="text-right">
        {editable && (
          <ActionButton
            small
            look={user.is_active ? "danger" : "plain"}
            busy={busy}
            onClick={() => onChange({ is_active: !user.is_active })}
          >
            {user.is_active ? "Deactivate" : "Reactivate"}
          </ActionButton>
        )}
      </TableCell>
    </TableRow>
  );
}

interface MemberListViewProps {
  users: ListState<User>;
  roles: readonly Role[];
  /** The member whose change is under way. */
  busyUserId?: string;
  /** Absent for callers who may not add members. */
  onAdd?(): void;
  onChange(user: User, patch: UserPatch): void;
}

export function MemberListView({ users, roles, busyUserId, onAdd, onChange }: MemberListViewProps) {
  return (
    <div className="mx-auto max-w-6xl">
      <PageHeader title="Members">
        {onAdd && (
          <ActionButton look="primary" onClick={onAdd}>
            <Plus aria-hidden className="size-4" /> Add member
          </ActionButton>
        )}
      </PageHeader>
      <SectionPanel title="People of this tenant">
        <LoadedContent state={users}>
          {({ items }) =>
            items.length === 0 ? (
              <EmptyState title="There are no members yet.">
                API keys work without members. People who sign in through an issuer become members.
              </EmptyState>
            ) : (
              <DataTable
                label="Members"
                head={["Name", "Role", "State", "Last seen", "Since", ""].map((head) => (
                  <HeaderCell key={head}>{head || <span className="sr-only">Actions</span>}</HeaderCell>
                ))}
              >
                {items.map((user) => (
                  <MemberRow
                    key={user.id}
                    user={user}
                    roles={roles}
                    busy={user.id === busyUserId}
                    onChange={(patch) => onChange(user, patch)}
                  />
                ))}
              </DataTable>
            )
          }
        </LoadedContent>
      </SectionPanel>
    </div>
  );
}
