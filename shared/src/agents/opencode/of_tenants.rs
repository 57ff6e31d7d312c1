//! The OpenCode servers of tenants: each where its row says, with its own password, through the guard of outbound
//! calls.
//!
//! Where sessions work on such a server is the platform's setting, as for its own: below one absolute directory.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use moka::sync::Cache;

use super::{OpenCode, Settings};
use crate::{
    agents::{
        contract::{AgentRuntime, Assignment, Observation, RunOutput, RunState, UserMessage},
        registry::{AgentEndpoint, secret},
    },
    kernel::{
        clock::Clock,
        encryption::Pepper,
        error::Error,
        failure::{Category, Failure},
        id::{AgentId, MessageId},
    },
    platform::http_client::{AllowedDestinations, Outbound, System},
};

/// How long a server's connections are kept without use.
const KEPT: Duration = Duration::from_mins(10);

/// How many servers are known at once.
const MOST: u64 = 1000;

/// Speaks to whichever server an assignment names.
pub struct OfTenants {
    /// What all of them have in common.
    settings: Settings,
    pepper: Pepper,
    clock: Clock,
    outbound: Outbound,
    /// By agent, place and sealed password: a change of either is a server of its own.
    known: Cache<(AgentId, String, Option<Vec<u8>>), OpenCode>,
}

impl OfTenants {
    /// `settings` hold for all servers, but for their places and passwords.
    pub fn new(settings: Settings, pepper: Pepper, clock: Clock, allowed: AllowedDestinations) -> Result<Self, Error> {
        let known = Cache::builder().max_capacity(MOST).time_to_idle(KEPT).build();
        Ok(Self { settings, pepper, clock, outbound: Outbound::new(allowed, Arc::new(System))?, known })
    }

    fn server(&self, agent: &AgentEndpoint) -> Result<OpenCode, Failure> {
        let url = agent.endpoint_url.clone().ok_or_else(|| unfit("The agent has no place where it is called."))?;
        let key = (agent.id, url, agent.endpoint_secret.clone());
        if let Some(server) = self.known.get(&key) {
            return Ok(server);
        }
        let password =
            agent.endpoint_secret.as_deref().map(|sealed| secret::open_secret(&self.pepper, agent.id, sealed));
        let password = password.transpose().map_err(|_| unfit("The agent's password cannot be opened."))?;
        let password =
            String::from_utf8(password.unwrap_or_default()).map_err(|_| unfit("The password is no text."))?;
        let http = self.outbound.client(&key.1).map_err(|why| unfit(&format!("The agent's place {why}.")))?;
        let settings = Settings { base_url: key.1.clone(), password, ..self.settings.clone() };
        let server = OpenCode::over(http, settings, self.clock.clone());
        self.known.insert(key, server.clone());
        Ok(server)
    }
}

/// A fault of how the agent is registered.
fn unfit(why: &str) -> Failure {
    Failure::new(Category::Auth, "AGENT_SETTINGS", why)
}

#[async_trait]
impl AgentRuntime for OfTenants {
    async fn dispatch(&self, assignment: &Assignment) -> Result<RunState, Failure> {
        self.server(&assignment.agent)?.dispatch(assignment).await
    }

    async fn observe(&self, assignment: &Assignment, state: &RunState) -> Result<Observation, Failure> {
        self.server(&assignment.agent)?.observe(assignment, state).await
    }

    async fn send_message(
        &self,
        assignment: &Assignment,
        state: &RunState,
        id: MessageId,
        said: &UserMessage,
    ) -> Result<RunState, Failure> {
        self.server(&assignment.agent)?.send_message(assignment, state, id, said).await
    }

    async fn abort(&self, assignment: &Assignment, state: &RunState) -> Result<(), Failure> {
        self.server(&assignment.agent)?.abort(assignment, state).await
    }

    async fn collect_output(&self, assignment: &Assignment, state: &RunState) -> Result<RunOutput, Failure> {
        self.server(&assignment.agent)?.collect_output(assignment, state).await
    }

    async fn probe(&self, agent: &AgentEndpoint) -> Result<(), Failure> {
        self.server(agent)?.probe(agent).await
    }

    async fn release_workspace(&self, assignment: &Assignment, state: &RunState) -> Result<(), Failure> {
        self.server(&assignment.agent)?.release_workspace(assignment, state).await
    }
}
