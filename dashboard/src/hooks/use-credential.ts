"use client";

import { useSyncExternalStore } from "react";
import { credential } from "@/api/credential";

export function useCredential() {
  return useSyncExternalStore(credential.subscribe, credential.get, () => null);
}
