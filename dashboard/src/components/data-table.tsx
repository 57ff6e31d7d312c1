import type { ReactNode, TdHTMLAttributes, ThHTMLAttributes } from "react";
import { cx } from "./class-names";

/** A table for short lists. It scrolls sideways on narrow screens. */
export function DataTable({ label, head, children }: { label: string; head: ReactNode; children: ReactNode }) {
  return (
    <section className="relative overflow-x-auto" aria-label={label} tabIndex={0}>
      <table className="w-full border-collapse text-[0.8125rem]">
        <caption className="sr-only">{label}</caption>
        <thead>
          <tr className="border-b border-line text-left">{head}</tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </section>
  );
}

export function HeaderCell({ className, ...rest }: ThHTMLAttributes<HTMLTableCellElement>) {
  return <th scope="col" className={cx("label px-3 py-2 whitespace-nowrap", className)} {...rest} />;
}

export function TableRow({ children, className }: { children: ReactNode; className?: string }) {
  return <tr className={cx("border-b border-line last:border-0 hover:bg-raised", className)}>{children}</tr>;
}

export function TableCell({ className, ...rest }: TdHTMLAttributes<HTMLTableCellElement>) {
  return <td className={cx("px-3 py-1.5 align-middle", className)} {...rest} />;
}
