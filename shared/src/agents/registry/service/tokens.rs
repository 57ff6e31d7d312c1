//! The tokens of a tenant's own agents, for its leads.

use crate::{
    agents::{registry::Agent, services::AgentServices},
    identity::{
        auth::{
            Caller,
            agent_token_store::{AgentTokenRow, list_agent_tokens},
            agent_tokens::{self, IssuedToken},
        },
        users,
    },
    kernel::{
        error::{Code, Error, Result},
        id::{AgentId, AgentTokenId},
    },
    platform::postgres::Tx,
};

use super::{State, lock_own_agent};

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

/// Issues a token for an agent of the caller's tenant that lost its own. Refuses an agent that was suspended because
/// whoever registered it is gone: it would call, and get no work.
pub async fn issue_token(services: &AgentServices, caller: &Caller, id: AgentId) -> Result<IssuedToken> {
    let mut tx = services.db.tenant(caller.tenant_id).await?;
    let agent = lock_own_agent(&mut tx, caller, id).await?;
    if is_suspended(&mut tx, &agent).await? {
        let detail = format!("{} is suspended: whoever registered it may not have agents any more.", agent.name);
        return Err(Error::new(Code::AgentSuspended, detail));
    }
    tx.commit().await?;
    agent_tokens::reissue(services, caller.tenant_id, caller, id).await
}

/// Whether an agent rests because its person may not have agents any more, and no lead has taken it over.
async fn is_suspended(tx: &mut Tx, agent: &Agent) -> Result<bool> {
    match agent.trust.registered_by {
        Some(person) if agent.state == State::Maintenance && !agent.trust.trusted => {
            Ok(!users::store::may_have_agents(tx, person).await?)
        }
        _ => Ok(false),
    }
}
