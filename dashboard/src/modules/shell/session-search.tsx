"use client";

import { Search as Glass } from "lucide-react";
import { useRouter } from "next/navigation";
import { type FormEvent, useState } from "react";

const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Searches sessions by title, prompt or id. A complete id opens its session. */
export function SessionSearch() {
  const router = useRouter();
  const [text, setText] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const wanted = text.trim();
    if (!wanted) return;
    router.push(ID.test(wanted) ? `/sessions/detail/?id=${wanted}` : `/sessions/?q=${encodeURIComponent(wanted)}`);
  };
  return (
    <form role="search" onSubmit={submit} className="relative w-full max-w-72 min-w-0">
      <Glass aria-hidden className="absolute top-2 left-2.5 size-3.5 translate-y-px text-muted" />
      <input
        data-search
        type="search"
        aria-label="Search sessions"
        placeholder="Search sessions"
        maxLength={200}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => event.key === "Escape" && event.currentTarget.blur()}
        className="field pr-7 pl-8 text-[0.8125rem]"
      />
      <kbd
        aria-hidden
        className="figure absolute top-1.5 right-2 rounded border border-line px-1 text-2xs text-muted max-sm:hidden"
      >
        /
      </kbd>
    </form>
  );
}
