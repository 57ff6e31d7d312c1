"use client";

import { type FormEvent, useState } from "react";
import { credential } from "@/api/credential";
import { Button } from "@/components/button";
import { Field } from "@/components/field";
import { Failure } from "@/components/states";
import { useReason } from "@/hooks/use-credential";
import { lastIssuer } from "@/login/pending";
import { check } from "@/login/taken";
import { Issuers } from "./issuers";
import { Mark } from "./mark";

interface SignInProps {
  /** What became of a login that has just come to an end. */
  failed?: unknown;
  /** The page to go on with; absent: the one that is open. */
  page?: string;
}

export function SignIn({ failed = null, page }: SignInProps) {
  const [key, setKey] = useState("");
  const [busy, setBusy] = useState(false);
  const [tried, setTried] = useState<unknown>(null);
  const reason = useReason();
  const error = tried ?? failed;

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setTried(null);
    try {
      await check(key.trim());
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
          <Mark className="size-8 text-accent" />
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
            <Failure error={error} compact />
          </div>
        )}
        <Issuers page={page} error={error} onError={setTried} />
        <form onSubmit={submit}>
          <Field
            label="API key"
            hint="It stays in this page's memory and is never stored: a reload asks for it again. `make up` prints a link that signs in."
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
          </Field>
          <Button type="submit" look="primary" busy={busy} className="mt-4 w-full">
            Sign in
          </Button>
        </form>
      </div>
    </main>
  );
}
