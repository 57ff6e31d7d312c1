import type { UsageView } from "@/api/schema";

/** The tokens that count against the monthly quota: all except cached ones. */
export function billedTokens(usage: UsageView): number {
  return usage.tokens_input + usage.tokens_output + usage.tokens_reasoning;
}
