//! Changing an agent, whoever it belongs to.

use crate::{
    agents::{
        registry::{State, draft::AgentPatch, route::Owner, store},
        services::AgentServices,
    },
    identity::auth::Caller,
    kernel::{error::Result, id::AgentId},
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
    let found = store::find_agent(&services.db, caller.tenant_id, id).await?;
    if found.owner(caller.tenant_id) == Owner::Own && found.state != State::Deregistered {
        update::patch_own_agent(services, caller, id, fields, version).await
    } else {
        platform::patch_platform_agent(services, caller, id, fields, version).await
    }
}
