"use client";

import { useSyncExternalStore } from "react";
import { credential } from "@/api/credential";

export function useCredential() {
  return useSyncExternalStore(credential.subscribe, credential.get, () => null);
}

/** Why the last sign-in ended. */
export function useSignOutReason() {
  return useSyncExternalStore(credential.subscribe, credential.reason, () => null);
}
