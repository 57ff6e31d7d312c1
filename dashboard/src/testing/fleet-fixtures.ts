import type { Environment, Runner, RunnerDetails, RunnerTask, Secret } from "@/api/fleet-types";

const CREATED = {
  created_at: "2026-11-22T10:00:00Z",
  created_by: { id: "u", kind: "user", name: "Ada Okafor" },
} as const;

/** A runner as the API returns it, with the fields that a test sets. */
export function runner(more: Partial<Runner> = {}): Runner {
  return {
    id: "01a20000-0000-7000-8000-0000000000c1",
    pool: "build-farm",
    name: "build-1",
    state: "active",
    version: "0.2.0",
    os: "linux",
    arch: "x86_64",
    labels: { zone: "eu-1" },
    slots: 4,
    busy: 1,
    isolation: "sandbox",
    isolation_reason: null,
    programs: [{ program: "claude-code", version: "2.1", agent_id: "01a20000-0000-7000-8000-0000000000d1" }],
    drain_requested: false,
    last_seen_at: "2026-11-22T10:05:00Z",
    protocol_version: "1.1",
    ...CREATED,
    ...more,
  };
}

export function runnerTask(more: Partial<RunnerTask> = {}): RunnerTask {
  return {
    task_id: "01a20000-0000-7000-8000-0000000000e1",
    session_id: "01a20000-0000-7000-8000-000000000001",
    session_title: "Mend fizz",
    agent_id: "01a20000-0000-7000-8000-0000000000d1",
    program: "claude-code",
    leased_at: "2026-11-22T10:04:00Z",
    lease_expires_at: "2026-11-22T10:06:00Z",
    phase: "working",
    rss_mb: 412,
    cpu_percent: 85,
    ...more,
  };
}

export function runnerDetails(more: Partial<RunnerDetails> = {}): RunnerDetails {
  return { ...runner(), tasks: [runnerTask()], ...more };
}

/** An environment as the API returns it, with the fields that a test sets. */
export function environment(more: Partial<Environment> = {}): Environment {
  return {
    id: "01a20000-0000-7000-8000-0000000000f1",
    name: "backend",
    is_default: false,
    version: 3,
    repositories: [{ url: "https://git.example.com/team/app.git" }],
    setup: { script: "npm ci\n", timeout_seconds: 300 },
    variables: { NODE_ENV: "test" },
    secrets: ["NPM_TOKEN"],
    network: { setup: "open", agent: "none", domains: [] },
    mcp_servers: [],
    rules: "",
    cpu: null,
    memory_mb: null,
    minimum_isolation: "none",
    agent: null,
    updated_at: "2026-11-22T10:00:00Z",
    ...CREATED,
    ...more,
  };
}

/** A secret as the API returns it, with the fields that a test sets. */
export function secret(more: Partial<Secret> = {}): Secret {
  return {
    id: "01a20000-0000-7000-8000-0000000000f9",
    scope: "tenant",
    environment_id: null,
    user_id: null,
    name: "NPM_TOKEN",
    phase: "setup",
    kind: "plain",
    host: null,
    username: null,
    provider: null,
    updated_at: "2026-11-22T10:00:00Z",
    updated_by: { id: "u", kind: "user", name: "Ada Okafor" },
    created_at: "2026-11-22T10:00:00Z",
    ...more,
  };
}
