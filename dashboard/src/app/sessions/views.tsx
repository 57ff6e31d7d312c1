"use client";

import { Bookmark, X } from "lucide-react";
import Link from "next/link";
import { type FormEvent, useState } from "react";
import { Button } from "@/components/button";
import { cx } from "@/components/class-names";
import { Dialog } from "@/components/dialog";
import { Field } from "@/components/field";
import { useQueryState } from "@/hooks/use-query-state";
import { BUILT_IN, useSavedViews } from "@/modules/session/saved-views";

/** The same filters are the same view, in whichever order they stand. */
function same(search: string): string {
  const sorted = new URLSearchParams(search);
  sorted.sort();
  return sorted.toString();
}

export function Views() {
  const [search] = useQueryState();
  const { views, save, forget } = useSavedViews();
  const [naming, setNaming] = useState(false);
  const [name, setName] = useState("");
  const now = same(search.toString());
  const known = [...BUILT_IN, ...views].some((view) => same(view.search) === now);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    save({ name: name.trim(), search: search.toString() });
    setNaming(false);
    setName("");
  };

  return (
    <nav aria-label="Views" className="flex flex-wrap items-center gap-1 pb-2.5">
      {[...BUILT_IN, ...views].map((view, index) => {
        const here = same(view.search) === now;
        return (
          <span
            key={view.name}
            className={cx(
              "inline-flex h-7 items-center rounded-full border text-xs",
              here ? "border-accent bg-accent-soft font-medium" : "border-line bg-surface text-muted hover:text-text",
            )}
          >
            <Link
              href={view.search ? `/sessions/?${view.search}` : "/sessions/"}
              replace
              aria-current={here ? "true" : undefined}
              className="px-2.5"
            >
              {view.name}
            </Link>
            {index >= BUILT_IN.length && (
              <button
                type="button"
                aria-label={`Forget the view ${view.name}`}
                onClick={() => forget(view.name)}
                className="pr-2"
              >
                <X aria-hidden className="size-3" />
              </button>
            )}
          </span>
        );
      })}
      {!known && (
        <Button small look="quiet" onClick={() => setNaming(true)}>
          <Bookmark aria-hidden className="size-3.5" /> Save view
        </Button>
      )}
      <Dialog open={naming} onOpenChange={setNaming} title="Save this view" description="It is kept in this browser.">
        <form onSubmit={submit} className="flex flex-col gap-4">
          <Field label="Name">
            {(props) => (
              <input
                {...props}
                required
                maxLength={40}
                pattern=".*\S.*"
                value={name}
                onChange={(event) => setName(event.target.value)}
                className="field"
              />
            )}
          </Field>
          <div className="flex justify-end">
            <Button type="submit" look="primary">
              Save
            </Button>
          </div>
        </form>
      </Dialog>
    </nav>
  );
}
