"use client";

import { useRouter } from "next/navigation";
import { useEffect, useState } from "react";
import { credential } from "@/api/credential";
import { useCredential } from "@/hooks/use-credential";
import type { LoginResult } from "@/login/login-flow";
import { SignInForm } from "@/modules/shell/sign-in-form";
import { LoginView } from "./login-view";

/** One completion per page load, even if the component is mounted again: a code can only be used once. */
let pendingCompletion: Promise<LoginResult> | null = null;

/** Takes the issuer's response out of the address and the history. */
function takeIssuerResponse(): URL | null {
  const answer = new URL(window.location.href);
  const asked = answer.searchParams;
  if (asked.get("state") === "signed-out") credential.ask("You are signed out, here and at your issuer.");
  if ([...asked.keys()].length > 0) window.history.replaceState(window.history.state, "", answer.pathname);
  return asked.has("code") || asked.has("error") ? answer : null;
}

async function finishLogin(answer: URL): Promise<LoginResult> {
  try {
    return await (await import("@/login/login-flow")).completeLogin(answer);
  } catch (error) {
    return { page: "/", error };
  }
}

export function LoginLoader() {
  const router = useRouter();
  const now = useCredential();
  const [done, setDone] = useState<LoginResult | null>(null);

  useEffect(() => {
    if (!pendingCompletion) {
      const answer = takeIssuerResponse();
      pendingCompletion = answer ? finishLogin(answer) : Promise.resolve({ page: "/", error: null });
    }
    let gone = false;
    void pendingCompletion.then((done) => gone || setDone(done));
    return () => {
      gone = true;
    };
  }, []);

  const leaves = done !== null && (now !== null || done.error === undefined);
  useEffect(() => {
    if (leaves) router.replace(done.page);
  }, [leaves, done, router]);

  const stays = done !== null && !leaves;
  return <LoginView signInForm={stays && <SignInForm failed={done.error} page={done.page} />} />;
}
