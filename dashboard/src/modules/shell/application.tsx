"use client";

import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { Tooltip } from "radix-ui";
import { type ReactNode, useEffect, useState } from "react";
import { credential, takeFromAddress } from "@/api/credential";
import { Unreachable, worthRetrying } from "@/api/problem";
import { Toasts } from "@/components/toast";
import { useCredential } from "@/hooks/use-credential";
import { LiveProvider } from "@/live/provider";
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

export function Application({ children }: { children: ReactNode }) {
  const now = useCredential();
  const [looked, setLooked] = useState(false);

  useEffect(() => {
    const key = takeFromAddress(window.location, window.history);
    if (key) credential.signIn(key);
    setLooked(true);
  }, []);

  return (
    <Tooltip.Provider delayDuration={250}>
      {now ? <Signed key={`${now.key} ${now.tenant ?? ""}`}>{children}</Signed> : looked && <SignIn />}
      <Toasts />
    </Tooltip.Provider>
  );
}
