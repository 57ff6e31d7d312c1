"use client";

import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { usePathname } from "next/navigation";
import { Tooltip } from "radix-ui";
import { type ReactNode, useEffect, useState } from "react";
import { credential, takeFromAddress } from "@/api/credential";
import { Unreachable, worthRetrying } from "@/api/problem";
import { Toasts } from "@/components/toast";
import { useCredential } from "@/hooks/use-credential";
import { LiveProvider } from "@/live/provider";
import { lastIssuer } from "@/login/pending";
import { Shell } from "./shell";
import { SignIn } from "./sign-in";

function newQueries() {
  return new QueryClient({
    defaultOptions: {
      queries: {
        // A laptop without a network still reaches the server that runs on itself.
        networkMode: "always",
        staleTime: 1000,
        // What got no answer is asked again until there is one.
        refetchInterval: (query) => (query.state.error instanceof Unreachable ? 5000 : false),
        retry: (failures, error) => failures < 2 && worthRetrying(error),
      },
      mutations: { networkMode: "always", retry: (failures, error) => failures < 1 && worthRetrying(error) },
    },
  });
}

/** Everything of one credential: signing out or switching the tenant leaves nothing of the last one behind. */
function Signed({ children }: { children: ReactNode }) {
  const [queries] = useState(newQueries);
  return (
    <QueryClientProvider client={queries}>
      <LiveProvider>
        <Shell>{children}</Shell>
      </LiveProvider>
    </QueryClientProvider>
  );
}

/** The page to which issuers send people back; it is there without a credential. */
const isLogin = (path: string) => path.replace(/\/$/, "") === "/login";

/** Goes where this tab was logged in last, without showing anything there; false where that was nowhere. */
async function resume(): Promise<boolean> {
  const issuer = lastIssuer.take();
  if (!issuer) return false;
  const { pathname, search, hash } = window.location;
  return (await import("@/login/flow")).resume(issuer, pathname + search + hash);
}

export function Application({ children }: { children: ReactNode }) {
  const now = useCredential();
  const back = isLogin(usePathname());
  const [looked, setLooked] = useState(false);
  const [error, setError] = useState<unknown>(null);

  useEffect(() => {
    const key = takeFromAddress(window.location, window.history);
    if (key) {
      lastIssuer.forget();
      credential.signIn(key);
    }
    if (key || isLogin(window.location.pathname)) return setLooked(true);
    resume().then(
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
        <Signed key={`${now.serial} ${now.tenant ?? ""}`}>{children}</Signed>
      ) : (
        looked && (back ? children : <SignIn failed={error} />)
      )}
      <Toasts />
    </Tooltip.Provider>
  );
}
