//! Notifications that a tenant has new events, and signals that a runner has something to fetch. They carry ids only;
//! everything else is in Postgres.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::kernel::id::{AgentId, ExternalTaskId, RunnerId, SessionId, TenantId};

/// Names the log that has new events: a session's, or the tenant's own.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct TenantNotification {
    pub tenant_id: TenantId,
    pub session_id: Option<SessionId>,
}

impl fmt::Display for TenantNotification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.session_id {
            Some(session) => write!(f, "{}/{session}", self.tenant_id),
            None => write!(f, "{}/", self.tenant_id),
        }
    }
}

impl FromStr for TenantNotification {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (tenant, session) = text.split_once('/').ok_or(())?;
        let session_id = if session.is_empty() { None } else { Some(session.parse().map_err(drop)?) };
        Ok(Self { tenant_id: tenant.parse().map_err(drop)?, session_id })
    }
}

/// Makes the holder of a runner's connection, or a claim that waits, ask the control plane. A lost signal only delays
/// it: it also polls.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum RunnerSignal {
    /// A task waits for an agent.
    TaskAvailable { agent_id: AgentId },
    /// A task that a runner works on has new messages, or is to be cancelled.
    TaskChanged { runner_id: RunnerId, task_id: ExternalTaskId },
    /// A runner was removed, so that its connection ends.
    RunnerRemoved { runner_id: RunnerId },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notification_reads_back_as_it_was_written() {
        for session_id in [None, Some(SessionId::new())] {
            let notification = TenantNotification { tenant_id: TenantId::new(), session_id };
            assert_eq!(notification.to_string().parse(), Ok(notification));
        }
        assert!("x/".parse::<TenantNotification>().is_err() && "".parse::<TenantNotification>().is_err());
    }
}
