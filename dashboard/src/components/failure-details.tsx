import { CircleAlert } from "lucide-react";
import type { ReactNode } from "react";
import type { Failure } from "@/api/schema";

/** The error that something ended with, and its remedy. */
export function FailureDetails({ error, children }: { error: Failure; children?: ReactNode }) {
  return (
    <section
      aria-label="What went wrong"
      className="panel flex gap-2.5 border-danger/50 bg-danger-soft p-3 text-[0.8125rem]"
    >
      <CircleAlert aria-hidden className="mt-0.5 size-4 shrink-0 text-danger" />
      <div className="min-w-0">
        <p className="font-medium break-words">{error.message}</p>
        <p>{error.remedy}</p>
        <p className="figure mt-1 text-2xs text-muted">
          {error.code} · {error.category} · {error.retryable ? "can be retried" : "a retry alone will not help"}
        </p>
        {children}
      </div>
    </section>
  );
}
