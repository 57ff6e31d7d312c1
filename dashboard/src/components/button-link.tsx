import Link from "next/link";
import type { ComponentProps } from "react";
import { cx } from "./class-names";

/** A link that looks like a button. */
export function ButtonLink({ primary, className, ...rest }: ComponentProps<typeof Link> & { primary?: boolean }) {
  return (
    <Link
      className={cx(
        "inline-flex h-8 shrink-0 items-center gap-1.5 rounded-md border px-3 text-[0.8125rem] font-medium whitespace-nowrap",
        primary
          ? "border-accent bg-accent text-accent-text hover:brightness-110"
          : "border-line-strong bg-surface hover:bg-raised",
        className,
      )}
      {...rest}
    />
  );
}
