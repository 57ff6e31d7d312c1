"use client";

import { PageHeader } from "@/components/page-layout";
import { ChartSamples } from "./chart-samples";
import { ControlSamples } from "./control-samples";
import { DialogSamples } from "./dialog-samples";
import { ListSamples } from "./list-samples";
import { StateSamples } from "./state-samples";
import { TextSamples } from "./text-samples";

/**
 * Every shared component in both themes. A test fails if a component of `components/` is missing, and the browser tests
 * check the page with axe. Dialogs, menus and messages open above the page, in the page's own theme.
 */
export function ComponentIndexView() {
  return (
    <div className="mx-auto max-w-[120rem]">
      <PageHeader title="Components" aside="Every shared component in both themes" />
      <div className="grid gap-3 xl:grid-cols-2">
        {(["dark", "light"] as const).map((theme) => (
          <section
            key={theme}
            aria-label={`The ${theme} theme`}
            data-theme={theme}
            className="flex min-w-0 flex-col gap-3 rounded-lg border border-line bg-page p-3 text-text"
          >
            <ControlSamples />
            <DialogSamples />
            <TextSamples />
            <StateSamples />
            <ListSamples />
            <ChartSamples />
          </section>
        ))}
      </div>
    </div>
  );
}
