//! Changing an agent, whoever it belongs to.

use crate::{
    agents::{
        registry::{draft::AgentPatch, store},
        services::AgentServices,
    },
    identity::auth::Caller,
    kernel::{
        error::{Code, Error, Result},
        id::AgentId,
    },
    platform::postgres::lock_names,
};

use super::{AgentDetails, platform, update};

/// Changes an agent of the caller's tenant, or as an admin one of the platform; with `version`, only if that is its
/// current version.
pub async fn patch_agent(
    services: &AgentServices,
    caller: &Caller,
    id: AgentId,
    fields: AgentPatch,
    version: Option<i64>,
) -> Result<AgentDetails> {
    let mut tx = services.db.tenant(caller.tenant_id).await?;
    // Sessions that start later see the new state and capacity.
    tx.take_lock(&lock_names::agent_turns(id));
    match store::lock_own(&mut tx, caller.tenant_id, id).await {
        Ok(own) if version.is_some_and(|wanted| wanted != own.version) => {
            Err(Error::stale_version("agent", own.version))
        }
        Ok(own) => update::patch_own_agent(services, caller, tx, own, fields).await,
        Err(error) if error.code() == Code::AgentNotFound => {
            tx.commit().await?;
            platform::patch_platform_agent(services, caller, id, fields, version).await
        }
        Err(error) => Err(error),
    }
}
