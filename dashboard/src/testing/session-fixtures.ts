import type { Event, SessionDetails } from "@/api/schema";

/** A session as the API returns it, with the fields that a test sets. */
export function session(more: Partial<SessionDetails> = {}): SessionDetails {
  return {
    id: "01a20000-0000-7000-8000-000000000001",
    tenant_id: "01a20000-0000-7000-8000-00000000000a",
    root_id: "01a20000-0000-7000-8000-000000000001",
    title: "Mend fizz",
    initial_prompt: "Mend it.",
    session_type: "execution",
    status: "pending",
    priority: "medium",
    priority_level: 2,
    allowed_transitions: ["queued", "running", "cancelled", "failed", "orphaned"],
    agent_config: {},
    metadata: {},
    tags: [],
    depth: 0,
    retry_count: 0,
    child_count: 0,
    checkpoint_count: 0,
    last_event_seq: 1,
    health_score: 0.8,
    recoverable: false,
    max_duration_seconds: 3600,
    version: 1,
    created_at: "2026-11-22T10:00:00Z",
    updated_at: "2026-11-22T10:00:00Z",
    status_changed_at: "2026-11-22T10:00:00Z",
    created_by: { id: "k", kind: "key", name: "CI" },
    usage: { cost_usd: "0", tokens_cached: 0, tokens_input: 0, tokens_output: 0, tokens_reasoning: 0 },
    ...more,
  };
}

export function event(
  seq: number,
  type: string,
  payload: Record<string, unknown>,
  at = `2026-11-22T10:00:${String(seq).padStart(2, "0")}Z`,
): Event {
  return {
    id: `e${seq}`,
    seq,
    type,
    payload,
    at,
    tenant_id: "t",
    session_id: "s",
    actor: { id: "a", kind: "agent", name: "agent" },
  } as Event;
}
