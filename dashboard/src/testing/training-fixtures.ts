import type { TrainingJob } from "@/api/schema";

/** A training job as the API returns it, with the fields that a test sets. */
export function job(more: Partial<TrainingJob> = {}): TrainingJob {
  return {
    id: "01a20000-0000-7000-8000-0000000000b1",
    tenant_id: "01a20000-0000-7000-8000-00000000000a",
    base_model: "tiny",
    warnings: [],
    target_model_name: "reviewer",
    provider: "simulated",
    parameters: {
      epochs: 3,
      learning_rate: 0.00005,
      batch_size: 4,
      lora_rank: 8,
      lora_alpha: 16,
      method: "sft",
      seed: null,
      target_modules: ["q_proj", "v_proj"],
    },
    dataset: { format: "messages", limit: 100_000, min_samples: 1, min_success_rate: 0.9, tags: [] },
    status: "pending",
    status_changed_at: "2026-11-22T10:00:00Z",
    allowed_transitions: ["queued", "cancelled", "failed"],
    stopping: false,
    attempt: 1,
    metrics: {},
    cost_usd: "0.000000",
    last_event_seq: 1,
    version: 1,
    created_by: { id: "k", kind: "key", name: "CI" },
    created_at: "2026-11-22T10:00:00Z",
    updated_at: "2026-11-22T10:00:00Z",
    ...more,
  };
}
