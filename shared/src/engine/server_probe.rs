//! The job `ProbeAgent`: the circuit breaker of an agent's server. A call that failed only asks for a probe, so no
//! session can close an agent: the breaker opens when the probe fails too, and closes with the first one that succeeds.

use std::time::Duration;

use chrono::TimeDelta;

use crate::{
    agents::{
        contract::shows_outage,
        registry::{AgentEndpoint, store},
    },
    engine::{admission::admit_on_agent, services::Engine},
    kernel::{
        error::{Code, Result},
        failure::Failure,
        id::AgentId,
    },
    platform::queue::job::{Job, JobOutcome},
};

/// The pause between two probes. With [`PROBE_TIMEOUT`], work goes on within ten seconds of a server's return.
const PROBE_INTERVAL: Duration = Duration::from_secs(3);

/// How long a server may take to answer a probe.
const PROBE_TIMEOUT: Duration = Duration::from_secs(4);

/// Overdue by this much, the job of the next probe is taken for lost.
const LOST_AFTER: TimeDelta = TimeDelta::seconds(15);

/// The most agents whose lost probes are resumed at once.
const MAX_RESUMED: i32 = 1000;

/// Runs the job `ProbeAgent`.
pub async fn probe_agent(engine: &Engine, agent: AgentId) -> Result<JobOutcome> {
    let now = engine.clock.now();
    let next = now + TimeDelta::from_std(PROBE_INTERVAL).unwrap_or_default();
    let Some(endpoint) = store::claim_server_probe(&engine.db, agent, now, next).await? else {
        return Ok(JobOutcome::Complete);
    };
    let failure = probe_server(engine, &endpoint).await?;
    let (was_down, is_down) =
        store::record_server_probe(&engine.db, agent, failure.is_none(), engine.clock.now()).await?;
    if is_down {
        if !was_down {
            tracing::warn!(agent.id = %agent, ?failure, "the server of an agent does not answer");
        }
        engine.enqueue(&[(Job::probe_agent(agent), PROBE_INTERVAL)]).await;
    } else if was_down {
        tracing::info!(agent.id = %agent, "the server of an agent answers again");
        admit_on_agent(engine, agent).await?;
    }
    Ok(JobOutcome::Complete)
}

/// Why the server of an agent does not answer; `None` if it does.
async fn probe_server(engine: &Engine, endpoint: &AgentEndpoint) -> Result<Option<Failure>> {
    let runtime = match engine.runtimes.runtime(endpoint) {
        // An agent that is no longer configured has no server.
        Err(error) if error.code() == Code::AgentUnavailable => {
            return Ok(Some(Failure::transient("AGENT_UNAVAILABLE", error.detail())));
        }
        found => found?,
    };
    let answer = tokio::time::timeout(PROBE_TIMEOUT, runtime.probe(endpoint)).await;
    let too_late = || Failure::transient("AGENT_TIMEOUT", "The agent's server did not answer in time.");
    Ok(answer.unwrap_or_else(|_| Err(too_late())).err().filter(shows_outage))
}

/// Asks for a probe of the agent whose server failed.
pub(crate) async fn probe_after(engine: &Engine, agent: Option<AgentId>, failure: &Failure) {
    if let Some(agent) = agent.filter(|_| failure.is_server_fault()) {
        engine.enqueue(&[(Job::probe_agent(agent), Duration::ZERO)]).await;
    }
}

/// Resumes the probes of servers that are down and whose job was lost.
pub async fn resume_lost_probes(engine: &Engine) -> Result<()> {
    let before = engine.clock.now() - LOST_AFTER;
    let agents = store::overdue_server_probes(&engine.db, before, MAX_RESUMED).await?;
    let jobs: Vec<_> = agents.into_iter().map(|agent| (Job::probe_agent(agent), Duration::ZERO)).collect();
    engine.enqueue(&jobs).await;
    Ok(())
}
