"use client";

import { Bookmark, X } from "lucide-react";
import Link from "next/link";
import { type FormEvent, useState } from "react";
import { ActionButton } from "@/components/action-button";
import { cx } from "@/components/class-names";
import { ModalDialog } from "@/components/modal-dialog";
import { TextField } from "@/components/text-field";
import type { SavedView } from "@/modules/session/saved-views";
import { BUILT_IN_VIEWS } from "@/modules/session/saved-views";

/** Sorts the parameters of a query, so that equal filters compare equal in any order. */
function canonicalSearch(search: string): string {
  const sorted = new URLSearchParams(search);
  sorted.sort();
  return sorted.toString();
}

interface SavedViewBarProps {
  /** The query of the address, which holds the filters. */
  search: string;
  /** The views that somebody saved; the built-in ones are always there. */
  views: readonly SavedView[];
  onSave(view: SavedView): void;
  onForget(name: string): void;
}

export function SavedViewBar({ search, views, onSave, onForget }: SavedViewBarProps) {
  const [naming, setNaming] = useState(false);
  const now = canonicalSearch(search);
  const known = [...BUILT_IN_VIEWS, ...views].some((view) => canonicalSearch(view.search) === now);
  return (
    <nav aria-label="Views" className="flex flex-wrap items-center gap-1 pb-2.5">
      {[...BUILT_IN_VIEWS, ...views].map((view, index) => {
        const here = canonicalSearch(view.search) === now;
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
            {index >= BUILT_IN_VIEWS.length && (
              <button
                type="button"
                aria-label={`Remove the view ${view.name}`}
                onClick={() => onForget(view.name)}
                className="pr-2"
              >
                <X aria-hidden className="size-3" />
              </button>
            )}
          </span>
        );
      })}
      {!known && (
        <ActionButton small look="quiet" onClick={() => setNaming(true)}>
          <Bookmark aria-hidden className="size-3.5" /> Save view
        </ActionButton>
      )}
      {naming && (
        <SaveViewDialog
          onSave={(name) => {
            onSave({ name, search });
            setNaming(false);
          }}
          onClose={() => setNaming(false)}
        />
      )}
    </nav>
  );
}

function SaveViewDialog({ onSave, onClose }: { onSave(name: string): void; onClose(): void }) {
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    onSave(String(new FormData(event.currentTarget).get("name")).trim());
  };
  return (
    <ModalDialog open onOpenChange={onClose} title="Save this view" description="The view is stored in this browser.">
      <form onSubmit={submit} className="flex flex-col gap-4">
        <TextField label="Name" name="name" required maxLength={40} pattern=".*\S.*" />
        <div className="flex justify-end">
          <ActionButton type="submit" look="primary">
            Save
          </ActionButton>
        </div>
      </form>
    </ModalDialog>
  );
}
