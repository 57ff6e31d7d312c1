import { LoaderCircle } from "lucide-react";
import type { ButtonHTMLAttributes } from "react";
import { cx } from "./class-names";

type Look = "primary" | "plain" | "quiet" | "danger";

const LOOKS: Record<Look, string> = {
  primary: "bg-accent text-accent-text border-accent hover:brightness-110",
  plain: "bg-surface text-text border-line-strong hover:bg-raised",
  quiet: "bg-transparent text-muted border-transparent hover:bg-raised hover:text-text",
  danger: "bg-surface text-danger border-line-strong hover:bg-danger-soft hover:border-danger",
};

interface ActionButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  look?: Look;
  busy?: boolean;
  small?: boolean;
}

export function ActionButton({
  look = "plain",
  busy,
  small,
  className,
  children,
  disabled,
  type,
  ...rest
}: ActionButtonProps) {
  return (
    <button
      type={type ?? "button"}
      disabled={disabled || busy}
      aria-busy={busy || undefined}
      className={cx(
        "inline-flex shrink-0 items-center justify-center gap-1.5 rounded-md border font-medium whitespace-nowrap transition-colors disabled:opacity-55",
        small ? "h-7 px-2 text-xs" : "h-8 px-3 text-[0.8125rem]",
        LOOKS[look],
        className,
      )}
      {...rest}
    >
      {busy && <LoaderCircle aria-hidden className="size-3.5 animate-spin" />}
      {children}
    </button>
  );
}

interface IconButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  label: string;
}

export function IconButton({ label, className, type, ...rest }: IconButtonProps) {
  return (
    <button
      type={type ?? "button"}
      aria-label={label}
      title={label}
      className={cx(
        "inline-flex size-8 shrink-0 items-center justify-center rounded-md text-muted hover:bg-raised hover:text-text disabled:opacity-50",
        className,
      )}
      {...rest}
    />
  );
}
