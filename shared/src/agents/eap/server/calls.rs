//! What all calls of an agent about its tasks have in common: each is a sign of life, and two errors.

use std::time::Duration;

use chrono::TimeDelta;

use crate::{
    agents::services::AgentServices,
    identity::auth::{AgentCaller, agent_tokens},
    kernel::{
        error::{Code, Error, Result},
        id::ExternalTaskId,
    },
    platform::queue::job::Job,
};

use super::claims;

/// The shortest time between two calls of an agent that are recorded as signs of life.
const CALL_INTERVAL: TimeDelta = TimeDelta::seconds(5);

/// Records a call of an agent as a sign of life. With `claims`, the agent shows that it takes the work that it is
/// offered. An agent that may get work again since is offered what waits for it.
pub(super) async fn record_call(services: &AgentServices, agent: &AgentCaller, claims: bool) -> Result<()> {
    let now = services.clock.now();
    let quiet_before = now - CALL_INTERVAL;
    agent_tokens::record_use(services, agent).await?;
    let is_back = match agent.runner_id() {
        None => claims::record_call(&services.db, agent.agent_id, now, quiet_before, claims).await?,
        Some(runner) => {
            let caller = (runner, agent.agent_id);
            claims::record_runner_call(&services.db, caller, now, quiet_before, claims).await?
        }
    };
    if is_back {
        tracing::info!(agent.id = %agent.agent_id, "an agent is back");
        services.notify_tenant(agent.tenant_id).await;
        services.enqueue(&[(Job::admit(agent.tenant_id, agent.agent_id), Duration::ZERO)]).await;
    }
    Ok(())
}

/// The error for an unknown task, or one of another agent: the error does not reveal which.
#[track_caller]
pub(super) fn unknown_task(task: ExternalTaskId) -> Error {
    Error::new(Code::TaskNotFound, format!("There is no task {task}."))
}

#[track_caller]
pub(crate) fn lease_lost() -> Error {
    Error::new(Code::LeaseLost, "The task is no longer assigned to this agent.")
}
