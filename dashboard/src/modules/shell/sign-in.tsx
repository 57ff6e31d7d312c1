"use client";

import { type FormEvent, useState } from "react";
import { credential } from "@/api/credential";
import { Refused, Unreachable } from "@/api/problem";
import { Button } from "@/components/button";
import { Field } from "@/components/field";
import { Failure } from "@/components/states";
import { Mark } from "./mark";

async function check(key: string) {
  const headers = { Authorization: `Bearer ${key}` };
  const answer = await fetch("/api/v1/me", { headers }).catch((cause) => {
    throw new Unreachable(cause);
  });
  if (!answer.ok) throw new Refused(answer.status, await answer.json().catch(() => ({})));
}

export function SignIn() {
  const [key, setKey] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const reason = credential.reason();

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await check(key.trim());
      credential.signIn(key.trim());
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };

  return (
    <main className="grid min-h-dvh place-items-center p-4">
      <form onSubmit={submit} className="panel w-full max-w-sm p-6">
        <div className="mb-5 flex items-center gap-3">
          <Mark className="size-8 text-accent" />
          <div>
            <h1 className="text-lg leading-tight font-semibold">ioc</h1>
            <p className="text-xs text-muted">Autonomous coding sessions, under control</p>
          </div>
        </div>
        {reason && !error && (
          <p className="mb-4 rounded border border-line bg-warning-soft p-2.5 text-[0.8125rem]">{reason}</p>
        )}
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
        {error !== null && (
          <div className="mt-3">
            <Failure error={error} compact />
          </div>
        )}
        <Button type="submit" look="primary" busy={busy} className="mt-4 w-full">
          Sign in
        </Button>
      </form>
    </main>
  );
}
