"use client";

import { useState } from "react";
import { type Role, roleValues, type UserPatch } from "@/api/schema";
import { useAction } from "@/hooks/use-action";
import { tenancyCalls, tenancyKeys, useHasPermission, useMe, useUsers } from "@/queries/tenancy";
import { AddMemberDialog } from "./add-member-dialog";
import { MemberListView } from "./member-list-view";

/** The roles that somebody may assign: an admin all of them, a lead only those below leads. */
function assignableRoles(role: Role | undefined): readonly Role[] {
  return role === "admin" ? roleValues : roleValues.filter((role) => role === "viewer" || role === "member");
}

export function MemberListLoader() {
  const users = useUsers();
  const me = useMe();
  const mayWrite = useHasPermission("users:write");
  const [adding, setAdding] = useState(false);
  const change = useAction(({ id, patch }: { id: string; patch: UserPatch }) => tenancyCalls.changeUser(id, patch), {
    invalidates: [tenancyKeys.users],
  });
  const roles = mayWrite ? assignableRoles(me.data?.role) : [];
  return (
    <>
      <MemberListView
        users={users}
        roles={roles}
        busyUserId={change.isPending ? change.variables.id : undefined}
        onAdd={mayWrite ? () => setAdding(true) : undefined}
        onChange={(user, patch) => change.mutate({ id: user.id, patch })}
      />
      {adding && <AddMemberDialog roles={roles} onClose={() => setAdding(false)} />}
    </>
  );
}
