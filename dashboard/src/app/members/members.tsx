"use client";

import { Plus } from "lucide-react";
import { type FormEvent, useState } from "react";
import { Refused } from "@/api/problem";
import { tenancyCalls, tenancyKeys, useMay, useMe, useUsers } from "@/api/queries/tenancy";
import { type Role, roleValues, type User, type UserPatch } from "@/api/schema";
import { Button } from "@/components/button";
import { Dialog, FormEnd } from "@/components/dialog";
import { Field } from "@/components/field";
import { PageHead, Panel } from "@/components/page";
import { Select } from "@/components/select";
import { Empty, Failure, Loading } from "@/components/states";
import { Table, Td, Th, Tr } from "@/components/table";
import { Ago } from "@/components/time";
import { useAct } from "@/hooks/use-act";

function Add({ roles, onClose }: { roles: readonly Role[]; onClose(): void }) {
  const add = useAct(tenancyCalls.createUser, {
    renews: [tenancyKeys.users],
    done: (user) => `${user.full_name} is a member now.`,
    after: onClose,
    quiet: true,
  });
  const error = add.error instanceof Refused ? add.error : null;
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    add.mutate({
      email: String(form.get("email")),
      full_name: String(form.get("full_name")),
      role: form.get("role") as Role,
    });
  };
  return (
    <Dialog
      open
      onOpenChange={onClose}
      title="Add a member"
      description="They come in with a token of a trusted issuer, or with an API key."
    >
      <form onSubmit={submit} className="flex flex-col gap-4">
        <Field label="Name" error={error?.field("full_name")}>
          {(props) => <input {...props} name="full_name" required maxLength={200} className="field" />}
        </Field>
        <Field label="E-mail" error={error?.field("email")}>
          {(props) => <input {...props} name="email" type="email" required className="field" />}
        </Field>
        <Field label="Role" error={error?.field("role")}>
          {(props) => (
            <Select {...props} name="role" defaultValue="member">
              {roles.map((role) => (
                <option key={role}>{role}</option>
              ))}
            </Select>
          )}
        </Field>
        <FormEnd mutation={add} act="Add" onClose={onClose} />
      </form>
    </Dialog>
  );
}

function Row({ user, roles }: { user: User; roles: readonly Role[] }) {
  const change = useAct((patch: UserPatch) => tenancyCalls.changeUser(user.id, patch), { renews: [tenancyKeys.users] });
  const mine = roles.includes(user.role);
  return (
    <Tr>
      <Td>
        <p className="font-medium">{user.full_name}</p>
        <p className="text-xs text-muted">{user.email}</p>
      </Td>
      <Td>
        {mine ? (
          <Select
            aria-label={`Role of ${user.full_name}`}
            className="h-7! w-28!"
            value={user.role}
            disabled={change.isPending}
            onChange={(event) => change.mutate({ role: event.target.value as Role })}
          >
            {roles.map((role) => (
              <option key={role}>{role}</option>
            ))}
          </Select>
        ) : (
          user.role
        )}
      </Td>
      <Td>{user.is_active ? "active" : "inactive"}</Td>
      <Td className="text-xs text-muted">{user.last_seen_at ? <Ago at={user.last_seen_at} /> : "never"}</Td>
      <Td className="text-xs text-muted">
        <Ago at={user.created_at} />
      </Td>
      <Td className="text-right">
        {mine && (
          <Button
            small
            look={user.is_active ? "danger" : "plain"}
            busy={change.isPending}
            onClick={() => change.mutate({ is_active: !user.is_active })}
          >
            {user.is_active ? "Deactivate" : "Reactivate"}
          </Button>
        )}
      </Td>
    </Tr>
  );
}

export function Members() {
  const users = useUsers();
  const me = useMe();
  const mayWrite = useMay("users:write");
  const [adding, setAdding] = useState(false);
  // A lead manages those below leads, an admin everybody.
  const roles = !mayWrite
    ? []
    : me.data?.role === "admin"
      ? roleValues
      : roleValues.filter((role) => role === "viewer" || role === "member");
  return (
    <div className="mx-auto max-w-6xl">
      <PageHead title="Members">
        {mayWrite && (
          <Button look="primary" onClick={() => setAdding(true)}>
            <Plus aria-hidden className="size-4" /> Add member
          </Button>
        )}
      </PageHead>
      <Panel title="People of the tenant">
        {users.isPending ? (
          <Loading />
        ) : users.isLoadingError ? (
          <Failure error={users.error} retry={() => void users.refetch()} />
        ) : users.data.items.length === 0 ? (
          <Empty title="Nobody is a member yet.">
            API keys work without members; people who sign in by an issuer become members.
          </Empty>
        ) : (
          <Table
            label="Members"
            head={["Name", "Role", "State", "Last seen", "Since", ""].map((head) => (
              <Th key={head}>{head || <span className="sr-only">Actions</span>}</Th>
            ))}
          >
            {users.data.items.map((user) => (
              <Row key={user.id} user={user} roles={roles} />
            ))}
          </Table>
        )}
      </Panel>
      {adding && <Add roles={roles} onClose={() => setAdding(false)} />}
    </div>
  );
}
