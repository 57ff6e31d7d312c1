//! What the holder of a lease may do beyond its work: the checks of calls that act for the session of a task.

use crate::{
    agents::{registry, services::AgentServices},
    identity::auth::AgentCaller,
    kernel::{
        error::{Code, Result},
        id::{ExternalTaskId, TenantId},
    },
    platform::postgres::Tx,
};

use super::{
    calls::{lease_lost, record_call, unknown_task},
    store::{self, TaskOwner},
};

/// The task of a call by the holder of its lease, which counts as a sign of life.
pub async fn find_held_task(
    services: &AgentServices,
    agent: &AgentCaller,
    task: ExternalTaskId,
    lease_token: i64,
) -> Result<TaskOwner> {
    record_call(services, agent, false).await?;
    find_leased(services, agent, task, lease_token).await
}

/// The task, which the caller holds under this lease.
pub(super) async fn find_leased(
    services: &AgentServices,
    agent: &AgentCaller,
    task: ExternalTaskId,
    lease_token: i64,
) -> Result<TaskOwner> {
    let owner = store::find_owner(&services.db, agent.agent_id, task).await?.ok_or_else(|| unknown_task(task))?;
    if !owner.is_leased_by(agent) || owner.lease_token != lease_token {
        return Err(lease_lost());
    }
    Ok(owner)
}

/// Whether the tenant of a task trusts the agent with more than the work itself.
pub async fn is_trusted(tx: &mut Tx, tenant_id: TenantId, caller: &AgentCaller) -> Result<bool> {
    match registry::store::find_agent_in(tx, caller.agent_id).await {
        Ok(agent) => Ok(agent.trust.is_trusted_by(tenant_id, agent.tenant_id)),
        Err(error) if error.code() == Code::AgentNotFound => Ok(false),
        Err(error) => Err(error),
    }
}
