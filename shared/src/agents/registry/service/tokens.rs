//! The tokens of a tenant's own agents, for its leads.

use crate::{
    agents::services::AgentServices,
    identity::auth::{
        Caller,
        agent_token_store::{AgentTokenRow, list_agent_tokens},
        agent_tokens,
    },
    kernel::{
        error::{Code, Error, Result},
        id::{AgentId, AgentTokenId},
    },
};

use super::lock_own_agent;

/// The valid tokens of an agent of the caller's tenant, newest first.
pub async fn list_tokens(services: &AgentServices, caller: &Caller, id: AgentId) -> Result<Vec<AgentTokenRow>> {
    let mut tx = services.db.tenant(caller.tenant_id).await?;
    lock_own_agent(&mut tx, caller, id).await?;
    tx.commit().await?;
    list_agent_tokens(&services.db, caller.tenant_id, id, services.clock.now()).await
}

/// Revokes a token of an agent of the caller's tenant.
pub async fn revoke_token(services: &AgentServices, caller: &Caller, id: AgentId, token: AgentTokenId) -> Result<()> {
    let valid = list_tokens(services, caller, id).await?;
    if !valid.iter().any(|one| one.id == token) {
        return Err(Error::new(Code::AgentTokenNotFound, "The agent has no valid token with this id."));
    }
    agent_tokens::revoke(services, caller.tenant_id, caller, token).await
}
