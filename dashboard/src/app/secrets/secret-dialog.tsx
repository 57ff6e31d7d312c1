"use client";

import { type FormEvent, useRef, useState } from "react";
import type { Secret, SecretInput, SecretKind, SecretPhase } from "@/api/fleet-types";
import { type FieldErrors, fieldErrors } from "@/api/problem";
import { FormActions, ModalDialog } from "@/components/modal-dialog";
import { SelectField } from "@/components/select-field";
import { TextAreaField, TextField } from "@/components/text-field";
import { useAction } from "@/hooks/use-action";
import { KIND_TITLES, PHASE_TITLES, type ScopeChoice, scopePath } from "@/modules/secret/secret-scopes";
import { secretCalls, secretKeys } from "@/queries/environments";

const PROVIDERS = ["anthropic", "openai"] as const;

/** The request that a filled-in form stands for, with the scope and the name of its address. */
function readSecretForm(form: FormData): { scope: string; name: string; body: SecretInput } {
  const text = (name: string) => String(form.get(name) ?? "").trim();
  const kind = text("kind") as SecretKind;
  return {
    scope: text("scope"),
    name: text("name"),
    body: {
      value: String(form.get("value") ?? ""),
      phase: text("phase") as SecretPhase,
      kind,
      ...(kind === "git" && { host: text("host"), username: text("username") || undefined }),
      ...(kind === "provider" && { provider: text("provider") as (typeof PROVIDERS)[number] }),
    },
  };
}

interface SecretDialogProps {
  /** The scopes that the caller may write. */
  scopes: readonly ScopeChoice[];
  /** The secret to replace. Absent for a new one. */
  replaced?: Secret;
  onClose(): void;
}

/**
 * Stores a secret. The value lives only in its text field: it is read when it is sent, is no variable of the mutation,
 * which the query cache would hold for minutes, and is gone with the dialog.
 */
export function SecretDialog({ scopes, replaced, onClose }: SecretDialogProps) {
  const form = useRef<HTMLFormElement>(null);
  const put = useAction(
    (_input: undefined) => {
      const { scope, name, body } = readSecretForm(new FormData(form.current ?? undefined));
      return secretCalls.put(scope, name, body);
    },
    {
      invalidates: [secretKeys.all],
      successMessage: ({ name }) => `${name} is stored.`,
      onSuccess: onClose,
      showsErrorItself: true,
    },
  );
  const submit = (event: FormEvent) => {
    event.preventDefault();
    put.mutate(undefined);
  };
  return (
    <ModalDialog
      open
      onOpenChange={onClose}
      title={replaced ? `Replace ${replaced.name}` : "New secret"}
      description="The value is stored encrypted, and cannot be shown again."
    >
      <form ref={form} onSubmit={submit} autoComplete="off" className="flex flex-col gap-4">
        <SecretFields scopes={scopes} replaced={replaced} errorOf={fieldErrors(put.error)} />
        <FormActions mutation={put} act={replaced ? "Replace" : "Store"} onClose={onClose} />
      </form>
    </ModalDialog>
  );
}

interface SecretFieldsProps extends Omit<SecretDialogProps, "onClose"> {
  errorOf: FieldErrors;
}

function SecretFields({ scopes, replaced, errorOf }: SecretFieldsProps) {
  const [kind, setKind] = useState<SecretKind>(replaced?.kind ?? "plain");
  return (
    <>
      <TextField
        label="Name"
        hint="Sessions receive the value as the variable of this name."
        error={errorOf("name")}
        mono
        name="name"
        required
        maxLength={100}
        pattern="[A-Za-z_][A-Za-z0-9_]*"
        title="Letters, digits and _, not starting with a digit"
        readOnly={replaced !== undefined}
        defaultValue={replaced?.name}
      />
      <SelectField label="Scope" error={errorOf("scope")} name="scope" defaultValue={replaced && scopePath(replaced)}>
        {(replaced ? scopes.filter(({ path }) => path === scopePath(replaced)) : scopes).map(({ path, title }) => (
          <option key={path} value={path}>
            {title}
          </option>
        ))}
      </SelectField>
      <SelectField
        label="Kind"
        error={errorOf("kind")}
        name="kind"
        value={kind}
        onChange={(event) => setKind(event.target.value as SecretKind)}
      >
        {Object.entries(KIND_TITLES).map(([value, title]) => (
          <option key={value} value={value}>
            {title}
          </option>
        ))}
      </SelectField>
      <SecretTargetFields kind={kind} replaced={replaced} errorOf={errorOf} />
      <SelectField label="Seen by" error={errorOf("phase")} name="phase" defaultValue={replaced?.phase ?? "setup"}>
        {Object.entries(PHASE_TITLES).map(([value, title]) => (
          <option key={value} value={value}>
            {title}
          </option>
        ))}
      </SelectField>
      <TextAreaField
        label="Value"
        hint="At most 64 KiB. It may have several lines, such as a private key."
        error={errorOf("value")}
        mono
        masked
        name="value"
        required
        rows={3}
        autoComplete="off"
        spellCheck={false}
      />
    </>
  );
}

/** What a git credential or a provider's key is for. */
function SecretTargetFields({
  kind,
  replaced,
  errorOf,
}: Pick<SecretFieldsProps, "replaced" | "errorOf"> & { kind: SecretKind }) {
  if (kind === "provider") {
    return (
      <SelectField
        label="Provider"
        error={errorOf("provider")}
        name="provider"
        defaultValue={replaced?.provider ?? undefined}
        options={PROVIDERS}
      />
    );
  }
  if (kind !== "git") return null;
  return (
    <div className="grid grid-cols-2 gap-3">
      <TextField
        label="Host"
        error={errorOf("host")}
        mono
        name="host"
        required
        maxLength={253}
        placeholder="git.example.com"
        defaultValue={replaced?.host ?? ""}
      />
      <TextField
        label="User name"
        error={errorOf("username")}
        mono
        name="username"
        maxLength={200}
        placeholder="x-access-token"
        defaultValue={replaced?.username ?? ""}
      />
    </div>
  );
}
