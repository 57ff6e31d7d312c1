import type { ReactNode } from "react";
import { cx } from "./class-names";

/** The title of a page with its actions. */
export function PageHeader({ title, aside, children }: { title: string; aside?: ReactNode; children?: ReactNode }) {
  return (
    <div className="flex flex-wrap items-center gap-x-4 gap-y-2 pb-3">
      <h1 className="text-lg font-semibold">{title}</h1>
      {aside && <div className="text-[0.8125rem] text-muted">{aside}</div>}
      <div className="ml-auto flex flex-wrap items-center gap-2">{children}</div>
    </div>
  );
}

/** A titled section of a page. */
export function SectionPanel({
  title,
  actions,
  children,
  className,
}: {
  title: string;
  actions?: ReactNode;
  children: ReactNode;
  className?: string;
}) {
  return (
    <section aria-label={title} className={cx("panel min-w-0", className)}>
      <header className="flex min-h-10 items-center gap-2 border-b border-line px-3 py-1.5">
        <h2 className="label">{title}</h2>
        <div className="ml-auto flex items-center gap-2">{actions}</div>
      </header>
      {children}
    </section>
  );
}

/** Names and values in two columns. */
export function FactList({ items }: { items: [string, ReactNode][] }) {
  return (
    <dl className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-4 gap-y-1.5 p-3 text-[0.8125rem]">
      {items.map(([name, value]) => (
        <div key={name} className="contents">
          <dt className="text-muted">{name}</dt>
          <dd className="min-w-0 text-right break-words">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** Large figures in a row, each with its name and an optional note. */
export function StatTiles({ items }: { items: [string, ReactNode, ReactNode?][] }) {
  return (
    <dl className="grid grid-cols-[repeat(auto-fill,minmax(7rem,1fr))] gap-3">
      {items.map(([name, value, besides]) => (
        <div key={name}>
          <dt className="label">{name}</dt>
          <dd>
            <span className="figure text-lg leading-tight font-semibold">{value}</span>
            {besides && <span className="figure ml-1.5 text-2xs text-muted">{besides}</span>}
          </dd>
        </div>
      ))}
    </dl>
  );
}

/** A short text in a box: a tag, a capability, a kind. */
export function LabelChip({ children, className }: { children: ReactNode; className?: string }) {
  return (
    <span
      className={cx(
        "inline-flex items-center rounded border border-line bg-raised px-1.5 text-2xs whitespace-nowrap text-muted",
        className,
      )}
    >
      {children}
    </span>
  );
}
