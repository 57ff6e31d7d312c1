"use client";

import { LogIn } from "lucide-react";
import { useCallback, useEffect, useState } from "react";
import type { LoginIssuer } from "@/api/schema";
import { ActionButton } from "@/components/action-button";
import { ErrorAlert } from "@/components/content-states";
import { fetchIssuers } from "@/login/issuers";
import { LoginError } from "@/login/login-error";

interface IssuerButtonsProps {
  page?: string;
  /** The error of the last login, or null. */
  error: unknown;
  onError(error: unknown): void;
}

/** A button for each issuer that people can log in at. Renders nothing if there are none. */
export function IssuerButtons({ page, error, onError }: IssuerButtonsProps) {
  const [offered, setOffered] = useState<readonly LoginIssuer[]>([]);
  const [unknown, setUnknown] = useState<unknown>(null);
  const [leaving, setLeaving] = useState<string | null>(null);

  const look = useCallback(() => {
    setUnknown(null);
    fetchIssuers().then(setOffered, setUnknown);
  }, []);

  useEffect(() => {
    look();
    // A browser that returns to this page may restore it with the button still busy.
    const shown = () => setLeaving(null);
    addEventListener("pageshow", shown);
    return () => removeEventListener("pageshow", shown);
  }, [look]);

  const logIn = async (issuer: LoginIssuer) => {
    setLeaving(issuer.issuer);
    onError(null);
    const { pathname, search, hash } = window.location;
    const another = error instanceof LoginError && error.asksAccount;
    try {
      const { beginLogin } = await import("@/login/login-flow");
      await beginLogin(issuer, page ?? pathname + search + hash, another ? "login" : undefined);
    } catch (problem) {
      onError(problem);
      setLeaving(null);
    }
  };

  if (unknown !== null) {
    return (
      <div className="mb-4">
        <ErrorAlert error={unknown} retry={look} compact />
      </div>
    );
  }
  if (offered.length === 0) return null;
  return (
    <div className="mb-4 flex flex-col gap-2 border-b border-line pb-4">
      {offered.map((issuer) => (
        <ActionButton
          key={issuer.issuer}
          busy={leaving === issuer.issuer}
          disabled={leaving !== null}
          onClick={() => void logIn(issuer)}
          className="w-full"
        >
          <LogIn aria-hidden className="size-3.5" />
          <span className="truncate">Log in with {issuer.name}</span>
        </ActionButton>
      ))}
    </div>
  );
}
