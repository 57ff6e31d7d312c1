/** What travels on the live stream (docs/live-stream.md): OpenAPI does not describe sockets, so these few shapes stand here. */

export interface Frame {
  readonly type: string;
  readonly topic?: Topic;
  readonly payload: Record<string, unknown>;
  readonly timestamp: string;
  readonly seq?: number;
  readonly session_id?: string;
  /** Where to go on in its topic after a break. */
  readonly cursor?: string;
  /** The payload was too large for a frame, and is cut. */
  readonly truncated?: boolean;
}

export type Topic = "/ws/sessions" | `/ws/sessions/${string}` | "/ws/agents" | "/ws/tuning" | "/ws/system";

export type Said =
  | { action: "subscribe"; topic: Topic; after?: string }
  | { action: "unsubscribe"; topic: Topic }
  | { action: "pong" };

/** A frame as it came, or nothing when it is none. */
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
