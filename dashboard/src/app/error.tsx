"use client";

import { ErrorAlert } from "@/components/content-states";

export default function ErrorPage({ error, reset }: { error: Error; reset(): void }) {
  return <ErrorAlert error={error} retry={reset} />;
}
