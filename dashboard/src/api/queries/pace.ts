import { useLiveState } from "@/live/hooks";

/** How often a query asks again: seldom while the stream tells what changes, often while it cannot. */
export function usePace(polling = 3000): number {
  return useLiveState() === "live" ? 60_000 : polling;
}
