import { CircleAlert, Inbox, WifiOff } from "lucide-react";
import type { ReactNode } from "react";
import { ApiError, ExplainedError, UnreachableError } from "@/api/problem";
import { ActionButton } from "./action-button";
import { cx } from "./class-names";

/** Says that there is nothing to show, and what to do about it. */
export function EmptyState({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="flex flex-col items-center gap-2 px-6 py-12 text-center">
      <Inbox aria-hidden className="size-6 text-muted" strokeWidth={1.5} />
      <p className="font-medium">{title}</p>
      {children && <div className="max-w-md text-[0.8125rem] text-muted">{children}</div>}
    </div>
  );
}

/** Placeholder lines for content that is being loaded. */
export function LoadingState({ rows = 6, className }: { rows?: number; className?: string }) {
  return (
    <div role="status" aria-label="Loading" className={cx("flex flex-col gap-2 p-4", className)}>
      {Array.from({ length: rows }, (_, row) => (
        <div
          // biome-ignore lint/suspicious/noArrayIndexKey: the lines are all alike
          key={row}
          className="h-4 animate-pulse rounded bg-raised"
          style={{ width: `${92 - ((row * 17) % 45)}%` }}
        />
      ))}
    </div>
  );
}

/** An error with its code, its remedy, and the request id for the server's log. */
export function ErrorAlert({ error, retry, compact }: { error: unknown; retry?(): void; compact?: boolean }) {
  const refused = error instanceof ApiError ? error : null;
  const away = error instanceof UnreachableError;
  const Icon = away ? WifiOff : CircleAlert;
  const message = error instanceof Error ? error.message : "Something went wrong.";
  const explained = error instanceof ExplainedError ? error : null;
  const remedy = refused?.remedy ?? explained?.remedy;
  const code = refused?.code ?? (away ? undefined : explained?.code);
  return (
    <div
      role="alert"
      className={cx(
        "flex items-start gap-3 rounded-lg border border-danger/50 bg-danger-soft",
        compact ? "p-2.5" : "m-4 p-4",
      )}
    >
      <Icon aria-hidden className="mt-0.5 size-4 shrink-0 text-danger" />
      <div className="min-w-0 flex-1 text-[0.8125rem]">
        <p className="font-medium">{message}</p>
        {remedy && <p className="mt-0.5">{remedy}</p>}
        {refused?.problem.errors?.map((one) => (
          <p key={one.field} className="mt-0.5">
            <span className="figure">{one.field}</span>: {one.message}
          </p>
        ))}
        {code && (
          <p className="figure mt-1 text-2xs break-all text-muted">
            {code}
            {refused?.problem.request_id && ` · request ${refused.problem.request_id}`}
          </p>
        )}
      </div>
      {retry && (
        <ActionButton small onClick={retry}>
          Try again
        </ActionButton>
      )}
    </div>
  );
}
