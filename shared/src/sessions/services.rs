//! The handles and settings of sessions.

use std::{ops::Deref, sync::Arc, time::Duration};

use chrono::TimeDelta;

use crate::{
    agents::{registry::AgentEndpoint, services::AgentServices},
    kernel::{backoff::RetryPolicy, clock::Time},
    platform::remembered_tenants::RememberedTenants,
};

use super::{
    policy::{DEFAULT_MAX_EVENTS, DEFAULT_OFFER_TIMEOUT, DEFAULT_RETRY, ObservationPolicy, PollPolicy},
    session::Session,
    usage_claims::UsageBounds,
};

/// How sessions wait, are observed and are kept.
#[derive(Clone, Copy, Debug)]
pub struct SessionSettings {
    pub poll: PollPolicy,
    /// The pauses between the automatic retries of a run.
    pub retry: RetryPolicy,
    /// How long a pulling agent has to claim a session that is offered to it.
    pub offer_timeout: Duration,
    /// How long a session may wait in the queue.
    pub queue_timeout: Duration,
    /// How long an agent keeps the workspace of a session that has ended.
    pub workspace_retention: Duration,
    /// The most that a run books of what an agent of a tenant reports.
    pub usage_bounds: UsageBounds,
    /// How many events the log of a session holds before entries of its agent are left out.
    pub max_events: i64,
}

impl Default for SessionSettings {
    fn default() -> Self {
        Self {
            poll: PollPolicy::default(),
            retry: DEFAULT_RETRY,
            offer_timeout: DEFAULT_OFFER_TIMEOUT,
            queue_timeout: Duration::from_hours(24),
            workspace_retention: Duration::from_hours(24),
            usage_bounds: UsageBounds::default(),
            max_events: DEFAULT_MAX_EVENTS,
        }
    }
}

impl SessionSettings {
    /// How the runs of an agent are observed. Only the platform's own agents are believed what they used.
    pub fn observation_policy(&self, agent: &AgentEndpoint) -> ObservationPolicy {
        let usage_bounds = agent.tenant_id.is_some().then_some(self.usage_bounds);
        ObservationPolicy { poll: self.poll, usage_bounds, max_events: self.max_events }
    }

    /// Until when a session that is queued now may wait.
    pub fn queue_deadline(&self, now: Time) -> Time {
        now + TimeDelta::from_std(self.queue_timeout).unwrap_or(TimeDelta::MAX)
    }

    /// Until when a queued session may wait.
    pub fn queue_deadline_of(&self, session: &Session) -> Time {
        self.queue_deadline(session.clock.queued_at.unwrap_or(session.clock.created_at))
    }

    /// Until when an agent may claim a session that is offered to it now.
    pub fn offer_deadline(&self, now: Time) -> Time {
        now + TimeDelta::from_std(self.offer_timeout).unwrap_or(TimeDelta::MAX)
    }

    /// Until when a handover that begins now is retried.
    pub fn handover_deadline(&self, now: Time) -> Time {
        now + TimeDelta::from_std(self.poll.agent_offline).unwrap_or(TimeDelta::MAX)
    }
}

/// The handles that use cases of sessions need. Clones share them.
#[derive(Clone)]
pub struct SessionServices(Arc<SessionParts>);

/// The fields of [`SessionServices`].
pub struct SessionParts {
    pub agents: AgentServices,
    /// The tenants whose sessions worked in a default environment lately.
    pub tenants_with_default: RememberedTenants,
    /// The tenants that were near a limit of their queue lately.
    pub tenants_near_limit: RememberedTenants,
    pub session_settings: SessionSettings,
}

impl SessionServices {
    pub fn new(agents: AgentServices, session_settings: SessionSettings) -> Self {
        Self(Arc::new(SessionParts {
            agents,
            tenants_with_default: RememberedTenants::new(Duration::from_mins(10)),
            tenants_near_limit: RememberedTenants::new(Duration::from_secs(2)),
            session_settings,
        }))
    }
}

impl Deref for SessionServices {
    type Target = SessionParts;

    fn deref(&self) -> &SessionParts {
        &self.0
    }
}

impl Deref for SessionParts {
    type Target = AgentServices;

    fn deref(&self) -> &AgentServices {
        &self.agents
    }
}
