"use client";

import type { SelectHTMLAttributes } from "react";
import { cx } from "./class-names";

/** The browser's own select, which works with every screen reader and on phones. */
export function SelectInput({ className, ...rest }: SelectHTMLAttributes<HTMLSelectElement>) {
  return <select className={cx("field pr-7 text-[0.8125rem]", className)} {...rest} />;
}
