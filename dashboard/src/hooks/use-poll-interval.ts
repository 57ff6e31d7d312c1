import { useLiveState } from "./live-connection";

/** How often a query polls, in milliseconds: rarely while the live connection reports changes, often otherwise. */
export function usePollInterval(polling = 3000): number {
  return useLiveState() === "live" ? 60_000 : polling;
}
