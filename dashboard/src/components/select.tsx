"use client";

import type { SelectHTMLAttributes } from "react";
import { cx } from "./class-names";

/** The browser's own select: it is the one that every reader and every telephone knows. */
export function Select({ className, ...rest }: SelectHTMLAttributes<HTMLSelectElement>) {
  return <select className={cx("field pr-7 text-[0.8125rem]", className)} {...rest} />;
}
