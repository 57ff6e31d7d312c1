"use client";

import { Failure } from "@/components/states";

export default function Broken({ error, reset }: { error: Error; reset(): void }) {
  return <Failure error={error} retry={reset} />;
}
