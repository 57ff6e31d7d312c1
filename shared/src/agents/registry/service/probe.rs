//! The first probe of an agent's server, when its address is set. An agent that never answered gets no work.

use std::time::Duration;

use crate::{
    agents::{
        contract::shows_outage,
        registry::{Agent, AgentEndpoint},
        services::AgentServices,
    },
    kernel::failure::Failure,
    platform::queue::job::Job,
};

/// How long the server may take to answer.
const TIMEOUT: Duration = Duration::from_secs(4);

/// What the first probe of an agent's server showed.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbeReport {
    /// Whether it answered; `None` if another process is to try it.
    pub ok: Option<bool>,
    pub detail: String,
}

/// Probes the server of an agent that is about to be stored; `None` for an agent that has none. An agent whose server
/// did not answer, or was not tried yet, is stored as down, and [`enqueue_probe`] has it tried after the commit.
pub(in crate::agents) async fn probe_new_agent(
    services: &AgentServices,
    agent: &mut Agent,
    sealed: Option<&[u8]>,
) -> Option<ProbeReport> {
    agent.endpoint_url.as_ref()?;
    let endpoint = AgentEndpoint {
        id: agent.id,
        tenant_id: agent.tenant_id,
        name: agent.name.clone(),
        kind: agent.kind,
        endpoint_url: agent.endpoint_url.clone(),
        endpoint_secret: sealed.map(<[u8]>::to_vec),
    };
    let mut answers = false;
    let report = match services.runtimes.runtime(&endpoint) {
        Err(_) => ProbeReport { ok: None, detail: "The server will be tried within seconds.".to_owned() },
        Ok(runtime) => {
            let answer = tokio::time::timeout(TIMEOUT, runtime.probe(&endpoint)).await;
            let too_late = || Failure::transient("AGENT_TIMEOUT", "The agent's server did not answer in time.");
            match answer.unwrap_or_else(|_| Err(too_late())) {
                Ok(()) => ProbeReport { ok: Some(true), detail: "The server answers.".to_owned() },
                Err(failure) => {
                    answers = !shows_outage(&failure);
                    ProbeReport { ok: Some(false), detail: format!("{}: {}", failure.code, failure.message) }
                }
            }
        }
    };
    if report.ok != Some(true) && !answers {
        agent.breakers.server_down_since = Some(services.clock.now());
    }
    Some(report)
}

/// Has a server tried that did not answer yet, until it does.
pub(in crate::agents) async fn enqueue_probe(services: &AgentServices, agent: &Agent) {
    if agent.breakers.server_down_since.is_some() {
        services.enqueue(&[(Job::probe_agent(agent.id), Duration::ZERO)]).await;
    }
}
