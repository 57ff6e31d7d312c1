//! The handles of agents: the runtimes that this process can speak to.

use std::{ops::Deref, sync::Arc, time::Duration};

use crate::{
    agents::{
        eap::server::{task_notifier::TaskNotifier, task_waiters::TaskWaiters},
        registry::Runtimes,
    },
    events::stream::services::StreamServices,
};

/// The handles that use cases of agents need. Clones share them.
#[derive(Clone)]
pub struct AgentServices(Arc<AgentParts>);

/// The fields of [`AgentServices`].
pub struct AgentParts {
    pub stream: StreamServices,
    pub runtimes: Runtimes,
    /// How often agents send a heartbeat.
    pub heartbeat_interval: Duration,
    /// Signals agents and runners that there is something for them.
    pub task_notifier: TaskNotifier,
    /// The claims and connections in this process that wait for such signals.
    pub task_waiters: TaskWaiters,
}

impl AgentServices {
    pub fn new(parts: AgentParts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for AgentServices {
    type Target = AgentParts;

    fn deref(&self) -> &AgentParts {
        &self.0
    }
}

impl Deref for AgentParts {
    type Target = StreamServices;

    fn deref(&self) -> &StreamServices {
        &self.stream
    }
}
