import type { UsageView } from "@/api/schema";

/** What counts against the month: all but what came out of the provider's cache. */
export function tokens(usage: UsageView): number {
  return usage.tokens_input + usage.tokens_output + usage.tokens_reasoning;
}
