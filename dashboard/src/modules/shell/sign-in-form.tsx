"use client";

import { type FormEvent, useState } from "react";
import { credential } from "@/api/credential";
import { ActionButton } from "@/components/action-button";
import { ErrorAlert } from "@/components/content-states";
import { FormField } from "@/components/form-field";
import { useSignOutReason } from "@/hooks/use-credential";
import { lastIssuer } from "@/login/pending-login";
import { verifyCredential } from "@/login/verify-credential";
import { IssuerButtons } from "./issuer-buttons";
import { ProductMark } from "./product-mark";

interface SignInFormProps {
  /** The error of a login that has just failed, or null. */
  failed?: unknown;
  /** The page to return to. By default the current one. */
  page?: string;
}

export function SignInForm({ failed = null, page }: SignInFormProps) {
  const [key, setKey] = useState("");
  const [busy, setBusy] = useState(false);
  const [tried, setTried] = useState<unknown>(null);
  const reason = useSignOutReason();
  const error = tried ?? failed;

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setTried(null);
    try {
      await verifyCredential(key.trim());
      lastIssuer.forget();
      credential.signIn(key.trim());
    } catch (problem) {
      setTried(problem);
      setBusy(false);
    }
  };

  return (
    <main className="grid min-h-dvh place-items-center p-4">
      <div className="panel w-full max-w-sm p-6">
        <div className="mb-5 flex items-center gap-3">
          <ProductMark className="size-8 text-accent" />
          <div>
            <h1 className="text-lg leading-tight font-semibold">ioc</h1>
            <p className="text-xs text-muted">Autonomous coding sessions, under control</p>
          </div>
        </div>
        {reason && error === null && (
          <p role="status" className="mb-4 rounded border border-line bg-warning-soft p-2.5 text-[0.8125rem]">
            {reason}
          </p>
        )}
        {error !== null && (
          <div className="mb-4">
            <ErrorAlert error={error} compact />
          </div>
        )}
        <IssuerButtons page={page} error={error} onError={setTried} />
        <form onSubmit={submit}>
          <FormField
            label="API key"
            hint="The key is kept in this page's memory and never stored, so a reload asks for it again. `make up` prints a link that signs in."
          >
            {(props) => (
              <input
                {...props}
                type="password"
                autoComplete="off"
                spellCheck={false}
                required
                placeholder="ioc_…"
                value={key}
                onChange={(event) => setKey(event.target.value)}
                className="field figure"
              />
            )}
          </FormField>
          <ActionButton type="submit" look="primary" busy={busy} className="mt-4 w-full">
            Sign in
          </ActionButton>
        </form>
      </div>
    </main>
  );
}
