"use client";

import { useSyncExternalStore } from "react";
import { credential } from "@/api/credential";

export function useCredential() {
  return useSyncExternalStore(credential.subscribe, credential.get, () => null);
}

/** Why nobody is signed in any more. */
export function useReason() {
  return useSyncExternalStore(credential.subscribe, credential.reason, () => null);
}
