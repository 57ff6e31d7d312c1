"use client";

import { useRouter } from "next/navigation";
import { useEffect, useState } from "react";
import { credential } from "@/api/credential";
import { Loading } from "@/components/states";
import { useCredential } from "@/hooks/use-credential";
import type { Completed } from "@/login/flow";
import { SignIn } from "@/modules/shell/sign-in";

/** Once per load of the page, whatever is mounted anew meanwhile: a code can be used once. */
let completing: Promise<Completed> | null = null;

/** What the issuer sent back, which is then gone from the address. */
function takeAnswer(): URL | null {
  const answer = new URL(window.location.href);
  const asked = answer.searchParams;
  if (asked.get("state") === "signed-out") credential.ask("You are signed out, here and at your issuer.");
  if ([...asked.keys()].length > 0) window.history.replaceState(window.history.state, "", answer.pathname);
  return asked.has("code") || asked.has("error") ? answer : null;
}

async function complete(answer: URL): Promise<Completed> {
  try {
    return await (await import("@/login/flow")).complete(answer);
  } catch (error) {
    return { page: "/", error };
  }
}

/** Where issuers send people back to. */
export function Login() {
  const router = useRouter();
  const now = useCredential();
  const [done, setDone] = useState<Completed | null>(null);

  useEffect(() => {
    if (!completing) {
      const answer = takeAnswer();
      completing = answer ? complete(answer) : Promise.resolve({ page: "/", error: null });
    }
    let gone = false;
    void completing.then((done) => gone || setDone(done));
    return () => {
      gone = true;
    };
  }, []);

  const leaves = done !== null && (now !== null || done.error === undefined);
  useEffect(() => {
    if (leaves) router.replace(done.page);
  }, [leaves, done, router]);

  if (done === null || leaves) return <Loading />;
  return <SignIn failed={done.error} page={done.page} />;
}
