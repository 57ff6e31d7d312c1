"use client";

import { Plus } from "lucide-react";
import { type FormEvent, useState } from "react";
import { Refused } from "@/api/problem";
import { tenancyCalls, tenancyKeys, useKeys, useMay, useMe } from "@/api/queries/tenancy";
import { type ApiKey, type NewKey, type NewlyMade, type Role, roleValues } from "@/api/schema";
import { Button } from "@/components/button";
import { Confirm } from "@/components/confirm";
import { Dialog, FormEnd } from "@/components/dialog";
import { Field } from "@/components/field";
import { Chip, PageHead, Panel } from "@/components/page";
import { SecretOnce } from "@/components/secret-once";
import { Select } from "@/components/select";
import { Empty, Failure, Loading } from "@/components/states";
import { Table, Td, Th, Tr } from "@/components/table";
import { Ago } from "@/components/time";
import { useAct } from "@/hooks/use-act";

const DAYS: readonly [string, number][] = [
  ["Never", 0],
  ["In 30 days", 30],
  ["In 90 days", 90],
  ["In a year", 365],
];

const RANK: Readonly<Record<Role, number>> = { viewer: 0, member: 1, lead: 2, admin: 3 };

function Make({
  role,
  permissions,
  onMade,
  onClose,
}: {
  role: Role;
  permissions: readonly string[];
  onMade(made: NewlyMade): void;
  onClose(): void;
}) {
  const make = useAct((body: NewKey) => tenancyCalls.createKey(body), {
    renews: [tenancyKeys.keys],
    after: onMade,
    quiet: true,
  });
  const error = make.error instanceof Refused ? make.error : null;
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const days = Number(form.get("days"));
    make.mutate({
      name: String(form.get("name")).trim(),
      role: form.get("role") as Role,
      scopes: form.getAll("scope").map(String),
      expires_at: days ? new Date(Date.now() + days * 86_400_000).toISOString() : undefined,
    });
  };
  return (
    <Dialog open onOpenChange={onClose} title="Make an API key">
      <form onSubmit={submit} className="flex flex-col gap-4">
        <Field label="Name" error={error?.field("name")} hint="Who or what will use it.">
          {(props) => <input {...props} name="name" required maxLength={100} className="field" />}
        </Field>
        <div className="grid grid-cols-2 gap-3">
          <Field label="Role" error={error?.field("role")}>
            {(props) => (
              <Select {...props} name="role" defaultValue={RANK[role] >= RANK.member ? "member" : role}>
                {roleValues
                  .filter((one) => RANK[one] <= RANK[role])
                  .map((one) => (
                    <option key={one}>{one}</option>
                  ))}
              </Select>
            )}
          </Field>
          <Field label="Expires" error={error?.field("expires_at")}>
            {(props) => (
              <Select {...props} name="days" defaultValue="90">
                {DAYS.map(([label, days]) => (
                  <option key={days} value={days}>
                    {label}
                  </option>
                ))}
              </Select>
            )}
          </Field>
        </div>
        <details>
          <summary className="text-[0.8125rem] text-muted">Narrow it to scopes</summary>
          <fieldset className="mt-2 grid grid-cols-2 gap-x-4 text-[0.8125rem]">
            <legend className="sr-only">Scopes; none means everything that the role may do</legend>
            {permissions.map((scope) => (
              <label key={scope} className="figure flex items-center gap-2 py-0.5 text-xs">
                <input type="checkbox" name="scope" value={scope} className="accent-accent" /> {scope}
              </label>
            ))}
          </fieldset>
        </details>
        <FormEnd mutation={make} act="Make key" onClose={onClose} />
      </form>
    </Dialog>
  );
}

function standing(key: ApiKey): string {
  if (key.revoked_at) return "revoked";
  if (key.expires_at && Date.parse(key.expires_at) < Date.now()) return "expired";
  return key.rotated_to ? "rotated" : "good";
}

function Row({ one, mine, onRevoke, onRotate }: { one: ApiKey; mine: boolean; onRevoke(): void; onRotate(): void }) {
  const state = standing(one);
  return (
    <Tr className={state === "good" ? undefined : "text-muted"}>
      <Td>
        <p className="font-medium">
          {one.name} {mine && <Chip>this page's</Chip>}
        </p>
        <p className="figure max-w-72 truncate text-2xs text-muted" title={one.prefix}>
          {one.prefix}…
        </p>
      </Td>
      <Td>{one.role}</Td>
      <Td className="figure text-xs">{one.scopes.length > 0 ? one.scopes.join(" ") : "all"}</Td>
      <Td>{state}</Td>
      <Td className="text-xs text-muted">{one.last_used_at ? <Ago at={one.last_used_at} /> : "never"}</Td>
      <Td className="text-xs text-muted">{one.expires_at ? <Ago at={one.expires_at} /> : "never"}</Td>
      <Td className="text-right whitespace-nowrap">
        {(state === "good" || state === "rotated") && (
          <span className="inline-flex gap-1.5">
            {state === "good" && (
              <Button small onClick={onRotate}>
                Rotate
              </Button>
            )}
            <Button small look="danger" onClick={onRevoke}>
              Revoke
            </Button>
          </span>
        )}
      </Td>
    </Tr>
  );
}

export function Keys() {
  const keys = useKeys();
  const me = useMe();
  const mayWrite = useMay("api_keys:write");
  const [making, setMaking] = useState(false);
  const [made, setMade] = useState<NewlyMade | null>(null);
  const [revoking, setRevoking] = useState<ApiKey | null>(null);
  const revoke = useAct(tenancyCalls.revokeKey, {
    renews: [tenancyKeys.keys],
    done: "The key is revoked.",
    after: () => setRevoking(null),
  });
  const rotate = useAct(tenancyCalls.rotateKey, { renews: [tenancyKeys.keys], after: setMade });
  const own = me.data?.key?.id;
  return (
    <div className="mx-auto max-w-6xl">
      <PageHead title="API keys">
        {mayWrite && (
          <Button look="primary" onClick={() => setMaking(true)}>
            <Plus aria-hidden className="size-4" /> Make key
          </Button>
        )}
      </PageHead>
      <Panel title="Keys of the tenant">
        {keys.isPending ? (
          <Loading />
        ) : keys.isLoadingError ? (
          <Failure error={keys.error} retry={() => void keys.refetch()} />
        ) : keys.data.items.length === 0 ? (
          <Empty title="There are no keys." />
        ) : (
          <Table
            label="API keys"
            head={["Name", "Role", "Scopes", "State", "Last used", "Expires", ""].map((head) => (
              <Th key={head}>{head || <span className="sr-only">Actions</span>}</Th>
            ))}
          >
            {keys.data.items.map((one) => (
              <Row
                key={one.id}
                one={one}
                mine={one.id === own}
                onRevoke={() => setRevoking(one)}
                onRotate={() => rotate.mutate(one.id)}
              />
            ))}
          </Table>
        )}
      </Panel>
      {making && me.data && (
        <Make
          role={me.data.role}
          permissions={me.data.permissions}
          onClose={() => setMaking(false)}
          onMade={(key) => {
            setMaking(false);
            setMade(key);
          }}
        />
      )}
      {made && (
        <Dialog
          open
          onOpenChange={() => setMade(null)}
          title={`The key ${made.name}`}
          description="Programs send it as Authorization: Bearer."
        >
          <SecretOnce label="Key" secret={made.secret} onDone={() => setMade(null)} />
        </Dialog>
      )}
      {revoking && (
        <Confirm
          title={`Revoke ${revoking.name}?`}
          text={
            revoking.id === own
              ? "It is the key that this page uses: you will be signed out."
              : "Whoever uses it is refused from now on, also on open streams."
          }
          act="Revoke"
          danger
          busy={revoke.isPending}
          onConfirm={() => revoke.mutate(revoking.id)}
          onClose={() => setRevoking(null)}
        />
      )}
    </div>
  );
}
