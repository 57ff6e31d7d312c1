"use client";

import { LogIn } from "lucide-react";
import { useCallback, useEffect, useState } from "react";
import type { LoginIssuer } from "@/api/schema";
import { Button } from "@/components/button";
import { Failure } from "@/components/states";
import { LoginFailed } from "@/login/failed";
import { issuers } from "@/login/issuers";

interface IssuersProps {
  page?: string;
  /** What became of the last login. */
  error: unknown;
  onError(error: unknown): void;
}

/** A way to log in at each issuer that is configured for it; nothing where there is none. */
export function Issuers({ page, error, onError }: IssuersProps) {
  const [offered, setOffered] = useState<readonly LoginIssuer[]>([]);
  const [unknown, setUnknown] = useState<unknown>(null);
  const [leaving, setLeaving] = useState<string | null>(null);

  const look = useCallback(() => {
    setUnknown(null);
    issuers().then(setOffered, setUnknown);
  }, []);

  useEffect(() => {
    look();
    // Whoever goes back in their browser finds the page as they left it.
    const shown = () => setLeaving(null);
    addEventListener("pageshow", shown);
    return () => removeEventListener("pageshow", shown);
  }, [look]);

  const logIn = async (issuer: LoginIssuer) => {
    setLeaving(issuer.issuer);
    onError(null);
    const { pathname, search, hash } = window.location;
    const another = error instanceof LoginFailed && error.another;
    try {
      const { begin } = await import("@/login/flow");
      await begin(issuer, page ?? pathname + search + hash, another ? "login" : undefined);
    } catch (problem) {
      onError(problem);
      setLeaving(null);
    }
  };

  if (unknown !== null) {
    return (
      <div className="mb-4">
        <Failure error={unknown} retry={look} compact />
      </div>
    );
  }
  if (offered.length === 0) return null;
  return (
    <div className="mb-4 flex flex-col gap-2 border-b border-line pb-4">
      {offered.map((issuer) => (
        <Button
          key={issuer.issuer}
          busy={leaving === issuer.issuer}
          disabled={leaving !== null}
          onClick={() => void logIn(issuer)}
          className="w-full"
        >
          <LogIn aria-hidden className="size-3.5" />
          <span className="truncate">Log in with {issuer.name}</span>
        </Button>
      ))}
    </div>
  );
}
