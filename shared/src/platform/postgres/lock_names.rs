//! The names of the advisory locks that transactions take.
//!
//! A transaction that takes several takes them in this order, or two transactions could wait for each other: an agent's
//! turns, an agent's offers, a tenant's slots, a tenant's queue, keys, agents, environments or secrets or a session
//! tree, a pool of runners, then rows.

use crate::kernel::id::{AgentId, SessionId, TenantId};

/// Decisions about the capacity of an agent and about the order of its queue.
pub(crate) fn agent_turns(id: AgentId) -> String {
    format!("turns:{id}")
}

/// Decisions about the tenants that an agent is offered to, and about those that have enabled it.
pub(crate) fn agent_offers(id: AgentId) -> String {
    format!("offers:{id}")
}

/// Decisions about the slots of a tenant.
pub(crate) fn tenant_slots(id: TenantId) -> String {
    format!("slots:{id}")
}

/// The number of a tenant's queued sessions. Additions share it while the queue is far from its limit.
pub(crate) fn tenant_queue(id: TenantId) -> String {
    format!("queue:{id}")
}

/// The number of a tenant's API keys.
pub(crate) fn tenant_keys(id: TenantId) -> String {
    format!("keys:{id}")
}

/// The number of a tenant's agents.
pub(crate) fn tenant_agents(id: TenantId) -> String {
    format!("agents:{id}")
}

/// The number of a tenant's environments, and which of them is the default.
pub(crate) fn tenant_environments(id: TenantId) -> String {
    format!("environments:{id}")
}

/// The number of a tenant's secrets.
pub(crate) fn tenant_secrets(id: TenantId) -> String {
    format!("secrets:{id}")
}

/// Deletions within one tree of sessions.
pub(crate) fn session_tree(root: SessionId) -> String {
    format!("tree:{root}")
}

/// The state of the runners of a pool, and the capacity of its agents. `lock_runner_pool` in SQL has the same name.
pub(crate) fn runner_pool(tenant: TenantId, pool: &str) -> String {
    format!("pool:{tenant}:{pool}")
}
