import { useLiveState } from "./live-connection";
import { useIsUnreachable } from "./use-is-unreachable";

/** How often a query polls, in milliseconds: rarely while the live connection reports changes, often otherwise. */
export function usePollInterval(polling = 3000): number {
  const isLive = useLiveState() === "live";
  return useIsUnreachable() || !isLive ? polling : 60_000;
}
