//! OpenCode's server as an agent: driven by polling its HTTP API, on a machine whose disk we do not see.
//!
//! Every session works in a git worktree of its own, at `<workspace_root>/<tenant>/<session>`, on the branch
//! `ioc/<session>`. Paths and permission rules keep sessions apart, but the agent's shell is **not** a sandbox: whoever
//! can make the agent run a command can read whatever the server's process can, its password included. Run one server,
//! in a container of its own, for each zone of trust. `cpu_limit` and `memory_limit_mb` are the container's business:
//! OpenCode has nothing to hand them to.
//!
//! The agent's machine needs bash, git (2.31 or newer), flock, base64, realpath and sha256sum, and ripgrep for the
//! agent itself.

mod client;
mod collect;
pub(super) mod diff;
mod dispatch;
mod fault;
mod ids;
mod observe;
mod of_tenants;
mod prepare;
mod prompt;
mod say;
mod settings;
mod shell;
mod state;
mod transcript;
mod verdict;
mod wire;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use moka::sync::Cache;

pub use of_tenants::OfTenants;
pub use settings::{Rule, Settings};

use crate::{
    agents::{
        contract::{AgentRuntime, Assignment, Observation, RunOutput, RunState, UserMessage},
        registry::AgentEndpoint,
    },
    kernel::{clock::Clock, failure::Failure, id::MessageId},
};

/// One OpenCode server. Clones share its connections.
#[derive(Clone)]
pub struct OpenCode {
    settings: Settings,
    client: client::Client,
    clock: Clock,
    offers: Cache<(), Arc<prompt::Offer>>,
}

impl OpenCode {
    /// Connects to nothing yet.
    pub fn new(settings: Settings, clock: Clock) -> Result<Self, Failure> {
        Ok(Self::over(client::connections()?, settings, clock))
    }

    /// The same over given connections.
    fn over(http: reqwest::Client, settings: Settings, clock: Clock) -> Self {
        let client = client::Client::new(http, &settings);
        let offers = Cache::builder().max_capacity(1).time_to_live(Duration::from_mins(1)).build();
        Self { settings, client, clock, offers }
    }
}

impl fmt::Debug for OpenCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OpenCode").field(&self.settings).finish()
    }
}

#[async_trait]
impl AgentRuntime for OpenCode {
    async fn dispatch(&self, assignment: &Assignment) -> Result<RunState, Failure> {
        self.hand_over(assignment).await
    }

    async fn observe(&self, assignment: &Assignment, state: &RunState) -> Result<Observation, Failure> {
        self.look(assignment, state).await
    }

    async fn send_message(
        &self,
        assignment: &Assignment,
        state: &RunState,
        id: MessageId,
        said: &UserMessage,
    ) -> Result<RunState, Failure> {
        self.tell(assignment, state, id, said).await
    }

    async fn abort(&self, _: &Assignment, state: &RunState) -> Result<(), Failure> {
        match state::State::read(state) {
            Some(state) => self.rest(&state).await,
            None => Ok(()),
        }
    }

    async fn collect_output(&self, assignment: &Assignment, state: &RunState) -> Result<RunOutput, Failure> {
        self.gather(assignment, state).await
    }

    async fn probe(&self, _: &AgentEndpoint) -> Result<(), Failure> {
        self.client.check_health().await.map_err(Failure::from)
    }

    async fn release_workspace(&self, assignment: &Assignment, state: &RunState) -> Result<(), Failure> {
        self.give_back(assignment, state).await
    }
}
