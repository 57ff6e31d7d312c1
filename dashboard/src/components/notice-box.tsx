import { Info, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { cx } from "./class-names";

/** A warning or a note that is not an error. */
export function NoticeBox({ warns, label, children }: { warns?: boolean; label?: string; children: ReactNode }) {
  const Icon = warns ? TriangleAlert : Info;
  return (
    <section
      aria-label={label}
      className={cx("panel flex items-start gap-2.5 p-3 text-[0.8125rem]", warns ? "bg-warning-soft" : "bg-raised")}
    >
      <Icon aria-hidden className={cx("mt-0.5 size-4 shrink-0", warns ? "text-warning" : "text-muted")} />
      <div className="min-w-0 flex-1">{children}</div>
    </section>
  );
}
