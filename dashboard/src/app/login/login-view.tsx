import type { ReactNode } from "react";
import { LoadingState } from "@/components/content-states";

/** The page that issuers redirect to: the form to sign in, once it is known that nobody is signed in. */
export function LoginView({ signInForm }: { signInForm: ReactNode }) {
  return signInForm || <LoadingState />;
}
