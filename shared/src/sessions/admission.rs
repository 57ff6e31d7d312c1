//! The rules of admission: whether a session may be created, queued, started or resumed, by the counts of its tenant.

use serde::Deserialize;

use crate::kernel::{
    error::{Code, Error, Result},
    id::AgentId,
};

/// The counts and limits that decide whether a session may be queued, start or resume. The statements that insert or
/// queue a session count only what decides about that; the rest has its default there.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub struct AdmissionSnapshot {
    /// Whether the tenant is active: no session of a deactivated tenant starts.
    pub active: bool,
    pub max_concurrent: i64,
    pub running: i64,
    /// Sessions that the deactivation of the tenant paused. They resume before queued sessions start.
    pub held: i64,
    pub max_queued: i64,
    pub queued: i64,
    pub rejects: bool,
    pub out_of_tokens: bool,
    pub workspace_taken: bool,
    pub agent_id: Option<AgentId>,
    pub agent_full: bool,
    /// The tenant's own circuit breaker, the agent's probation or its restriction keep the session from the agent.
    pub agent_withheld: bool,
    pub queued_on_agent: i64,
}

impl AdmissionSnapshot {
    /// Whether a slot, the workspace, the agent and tokens are available, and no queued session waits for them.
    pub fn can_start_now(&self) -> bool {
        self.can_resume() && !self.has_no_slot() && self.queued_on_agent == 0
    }

    /// Whether a queued session may start, whose turn it is on its agent.
    pub fn can_admit(&self) -> bool {
        self.active && !self.has_no_slot() && !self.workspace_taken && !self.out_of_tokens && !self.agent_withheld
    }

    /// Whether no slot is left for a queued session.
    pub fn has_no_slot(&self) -> bool {
        self.running + self.held >= self.max_concurrent
    }

    /// Whether a suspended session may resume. It takes precedence over queued sessions.
    pub fn can_resume(&self) -> bool {
        self.active
            && self.running < self.max_concurrent
            && !self.out_of_tokens
            && !self.workspace_taken
            && !self.agent_full
            && !self.agent_withheld
    }

    /// Refuses a creation, or with `start` a start, that the tenant's limits do not allow. The statement that inserts a
    /// session decides by the same rules.
    pub fn check_limits(&self, start: bool) -> Result<()> {
        if self.rejects && self.running + self.queued >= self.max_concurrent {
            let detail = format!("All {} of the tenant's slots are taken.", self.max_concurrent);
            return Err(Error::new(Code::QuotaExceeded, detail));
        }
        if self.rejects && self.out_of_tokens {
            return Err(Error::new(Code::TokenQuotaExceeded, "The tenant's tokens of this month are spent."));
        }
        if start { self.check_queue_limit() } else { Ok(()) }
    }

    /// Refuses one more session in the tenant's queue if the queue is full.
    pub fn check_queue_limit(&self) -> Result<()> {
        if self.queued >= self.max_queued {
            let detail = format!("The tenant's queue holds its {} sessions already.", self.max_queued);
            return Err(Error::new(Code::QuotaExceeded, detail));
        }
        Ok(())
    }
}
