//! The connections of runners that API Gateway holds. A runner has at most one that counts: the newest. Redis knows
//! which, and which runners work as an agent.

use std::{collections::BTreeSet, time::Duration};

use redis::Cmd;
use tokio::time::timeout;

use crate::{
    events::stream::{ConnectionBackend, services::StreamServices},
    identity::auth::RunnerCaller,
    kernel::{
        error::Result,
        id::{AgentId, RunnerId},
    },
    platform::{
        notification::RunnerSignal,
        queue::{
            Queue,
            job::{Job, JobOutcome},
        },
        redis::cache::Cache,
    },
};

use super::{ApiGatewayClient, REDIS_TIMEOUT, SendOutcome};

/// The expiry of all keys: longer than any connection lasts.
const EXPIRY_MS: u64 = 130 * 60 * 1000;

/// The connection of a runner.
fn runner_key(runner_id: RunnerId) -> String {
    format!("live:runner:{runner_id}")
}

/// The runners with connections that work as an agent.
fn agent_key(agent_id: AgentId) -> String {
    format!("live:runners:{agent_id}")
}

/// The runner of a connection.
fn connection_key(id: &str) -> String {
    format!("live:runner-connection:{id}")
}

impl ApiGatewayClient {
    /// Enqueues the job that sends a signal, if a runner has a connection.
    pub async fn signal_runners(&self, cache: &Cache, queue: &Queue, signal: RunnerSignal) {
        if self.is_redis_paused() {
            return;
        }
        match timeout(REDIS_TIMEOUT, has_connections(cache, signal)).await {
            Ok(Ok(true)) => {
                if let Err(error) = queue.send_all(&[(Job::signal_runners(signal), Duration::ZERO)]).await {
                    tracing::debug!(?error, "a signal was not enqueued; the runners poll");
                }
            }
            Ok(Ok(false)) => {}
            Ok(Err(_)) | Err(_) => self.pause_redis(),
        }
    }
}

/// Accepts a connection of a runner, which replaces its earlier one.
pub async fn on_runner_connect(services: &StreamServices, id: &str, runner: &RunnerCaller) -> Result<()> {
    let cache = &services.cache;
    cache.query::<()>(&set(connection_key(id), &runner.runner_id.to_string())).await?;
    cache.query::<()>(&set(runner_key(runner.runner_id), id)).await?;
    for agent in runner.agents.keys() {
        let key = agent_key(*agent);
        cache.query::<()>(redis::cmd("SADD").arg(&key).arg(runner.runner_id.to_string())).await?;
        cache.query::<()>(redis::cmd("PEXPIRE").arg(&key).arg(EXPIRY_MS)).await?;
    }
    Ok(())
}

/// Whether a connection is that of a runner, whose messages say nothing.
pub(super) async fn is_runner_connection(cache: &Cache, id: &str) -> Result<bool> {
    cache.query(redis::cmd("EXISTS").arg(connection_key(id))).await
}

/// Deletes what is known of a connection, if it is that of a runner. Returns whether it is.
pub(super) async fn delete_runner_connection(cache: &Cache, id: &str) -> Result<bool> {
    let runner: Option<String> = cache.query(redis::cmd("GET").arg(connection_key(id))).await?;
    let Some(runner_id) = runner.and_then(|text| text.parse().ok()) else { return Ok(false) };
    forget_connection(cache, runner_id, id).await?;
    Ok(true)
}

/// The job `SignalRunners`: sends a signal to every runner with a connection that it concerns.
pub async fn signal_runners(services: &StreamServices, signal: RunnerSignal) -> Result<JobOutcome> {
    let ConnectionBackend::ApiGateway(gateway) = &services.backend else { return Ok(JobOutcome::Complete) };
    let cache = &services.cache;
    let frame = serde_json::to_string(&signal)?;
    for runner_id in concerned_runners(cache, signal).await? {
        let Some(id) = find_connection(cache, runner_id).await? else {
            if let RunnerSignal::TaskAvailable { agent_id } = signal {
                let key = agent_key(agent_id);
                cache.query::<()>(redis::cmd("SREM").arg(key).arg(runner_id.to_string())).await?;
            }
            continue;
        };
        if matches!(signal, RunnerSignal::RunnerRemoved { .. }) {
            gateway.close_connection(&id).await;
            forget_connection(cache, runner_id, &id).await?;
        } else if gateway.send_frame(&id, &frame).await == SendOutcome::Gone {
            forget_connection(cache, runner_id, &id).await?;
        }
    }
    Ok(JobOutcome::Complete)
}

/// Deletes a connection. A runner that has connected anew meanwhile keeps its new one.
async fn forget_connection(cache: &Cache, runner_id: RunnerId, id: &str) -> Result<()> {
    if find_connection(cache, runner_id).await?.is_some_and(|newest| newest == id) {
        cache.query::<()>(redis::cmd("DEL").arg(runner_key(runner_id))).await?;
    }
    cache.query(redis::cmd("DEL").arg(connection_key(id))).await
}

async fn has_connections(cache: &Cache, signal: RunnerSignal) -> Result<bool> {
    let key = match signal {
        RunnerSignal::TaskAvailable { agent_id } => agent_key(agent_id),
        RunnerSignal::TaskChanged { runner_id, .. } | RunnerSignal::RunnerRemoved { runner_id } => {
            runner_key(runner_id)
        }
    };
    cache.query(redis::cmd("EXISTS").arg(key)).await
}

async fn concerned_runners(cache: &Cache, signal: RunnerSignal) -> Result<BTreeSet<RunnerId>> {
    Ok(match signal {
        RunnerSignal::TaskAvailable { agent_id } => {
            let texts: Vec<String> = cache.query(redis::cmd("SMEMBERS").arg(agent_key(agent_id))).await?;
            texts.iter().filter_map(|text| text.parse().ok()).collect()
        }
        RunnerSignal::TaskChanged { runner_id, .. } | RunnerSignal::RunnerRemoved { runner_id } => {
            BTreeSet::from([runner_id])
        }
    })
}

async fn find_connection(cache: &Cache, runner_id: RunnerId) -> Result<Option<String>> {
    cache.query(redis::cmd("GET").arg(runner_key(runner_id))).await
}

fn set(key: String, value: &str) -> Cmd {
    let mut set = redis::cmd("SET");
    set.arg(key).arg(value).arg("PX").arg(EXPIRY_MS);
    set
}
