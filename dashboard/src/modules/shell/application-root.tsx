"use client";

import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { usePathname } from "next/navigation";
import { Tooltip } from "radix-ui";
import { type ReactNode, useEffect, useState } from "react";
import { credential, takeKeyFromAddress } from "@/api/credential";
import { isRetryable, UnreachableError } from "@/api/problem";
import { ToastRegion } from "@/components/toast";
import { useCredential } from "@/hooks/use-credential";
import { LiveConnectionProvider } from "@/live/live-connection-provider";
import { lastIssuer } from "@/login/pending-login";
import { AppShell } from "./app-shell";
import { SignInForm } from "./sign-in-form";

function createQueryClient() {
  return new QueryClient({
    defaultOptions: {
      queries: {
        // A machine without a network can still reach a server on itself.
        networkMode: "always",
        staleTime: 1000,
        // A query without a response is repeated until there is one.
        refetchInterval: (query) => (query.state.error instanceof UnreachableError ? 5000 : false),
        retry: (failures, error) => failures < 2 && isRetryable(error),
      },
      mutations: { networkMode: "always", retry: (failures, error) => failures < 1 && isRetryable(error) },
    },
  });
}

/** The application for one credential. Another credential or tenant gets a new query cache, so that no data remains. */
function SignedInShell({ children }: { children: ReactNode }) {
  const [queries] = useState(createQueryClient);
  return (
    <QueryClientProvider client={queries}>
      <LiveConnectionProvider>
        <AppShell>{children}</AppShell>
      </LiveConnectionProvider>
    </QueryClientProvider>
  );
}

/** The page that issuers redirect to. It works without a credential. */
const isLoginPage = (path: string) => path.replace(/\/$/, "") === "/login";

/** Starts a silent login at the issuer that this tab used last. Returns false if there was none. */
async function resumeLastLogin(): Promise<boolean> {
  const issuer = lastIssuer.take();
  if (!issuer) return false;
  const { pathname, search, hash } = window.location;
  return (await import("@/login/login-flow")).resumeLogin(issuer, pathname + search + hash);
}

export function ApplicationRoot({ children }: { children: ReactNode }) {
  const now = useCredential();
  const back = isLoginPage(usePathname());
  const [looked, setLooked] = useState(false);
  const [error, setError] = useState<unknown>(null);

  useEffect(() => {
    const key = takeKeyFromAddress(window.location, window.history);
    if (key) {
      lastIssuer.forget();
      credential.signIn(key);
    }
    if (key || isLoginPage(window.location.pathname)) return setLooked(true);
    resumeLastLogin().then(
      (leaves) => setLooked(!leaves),
      (problem) => {
        setError(problem);
        setLooked(true);
      },
    );
  }, []);

  return (
    <Tooltip.Provider delayDuration={250}>
      {now ? (
        <SignedInShell key={`${now.serial} ${now.tenant ?? ""}`}>{children}</SignedInShell>
      ) : (
        looked && (back ? children : <SignInForm failed={error} />)
      )}
      <ToastRegion />
    </Tooltip.Provider>
  );
}
