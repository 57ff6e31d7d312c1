/** The frames of the live stream, whose payloads the schema `StreamFrame` of the OpenAPI document describes. */

export interface Frame {
  readonly type: string;
  readonly topic?: Topic;
  readonly payload: Record<string, unknown>;
  readonly timestamp: string;
  readonly seq?: number;
  readonly session_id?: string;
  /** Where to resume its topic after a reconnect. */
  readonly cursor?: string;
  /** Whether the payload was too large for a frame and is truncated. */
  readonly truncated?: boolean;
}

export type Topic = "/ws/sessions" | `/ws/sessions/${string}` | "/ws/agents" | "/ws/fine-tuning" | "/ws/system";

/** live: frames arrive. polling: the socket is refused and queries poll instead. offline: nothing answers. */
export type LiveState = "connecting" | "live" | "polling" | "offline";

export type ClientMessage =
  | { action: "subscribe"; topic: Topic; after?: string }
  | { action: "unsubscribe"; topic: Topic }
  | { action: "pong" };

/** Parses a frame. Null if the text is not one. */
export function parseFrame(text: string): Frame | null {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null) return null;
    const frame = value as Partial<Frame>;
    if (typeof frame.type !== "string") return null;
    return { ...frame, type: frame.type, payload: frame.payload ?? {}, timestamp: frame.timestamp ?? "" };
  } catch {
    return null;
  }
}
