//! The tokens with which agents outside the platform call the API: creating, rotating and revoking them, with audit
//! entries.

use chrono::TimeDelta;
use serde_json::json;

use crate::{
    identity::audit::{self, AuditEntry},
    identity::services::IdentityServices,
    kernel::{
        actor::By,
        clock::Time,
        error::{Code, Error, Result},
        id::{AgentId, AgentTokenId, TenantId},
    },
    platform::postgres::Tx,
};

use super::{
    agent_caller::{AgentCaller, AgentCredential},
    agent_token_store,
    key::{self, GeneratedKey},
    store::{self, AgentTokenInsert},
};

/// How long a rotated token stays valid, so that its agent can switch to the new one without a gap.
pub const ROTATION_OVERLAP: TimeDelta = TimeDelta::minutes(10);

/// A token that was just created. Its text is returned only here.
#[derive(Clone, Debug)]
pub struct IssuedToken {
    pub id: AgentTokenId,
    pub text: String,
}

/// Creates a token for an agent of the tenant. Agents of the platform have no tokens, as they never call the API.
pub async fn create(
    services: &IdentityServices,
    tenant_id: TenantId,
    by: impl Into<By>,
    agent_id: AgentId,
    expires_at: Option<Time>,
) -> Result<IssuedToken> {
    let (by, now) = (by.into(), services.clock.now());
    let (issued, generated) = generate_token(services);
    let mut tx = services.db.tenant(tenant_id).await?;
    let token = NewToken { tenant_id, agent_id, expires_at, by: &by };
    if !token.insert(services, &mut tx, &generated).await? {
        return Err(Error::new(Code::AgentNotFound, "Your tenant has no agent with this id."));
    }
    audit::record(
        &mut tx,
        AuditEntry::new(by, now, "agent_token.create", issued.id)
            .with_after(json!({"agent_id": agent_id, "expires_at": expires_at})),
    );
    tx.commit().await?;
    Ok(issued)
}

/// Issues another token for an agent, for one that lost its own. The tokens that it has stay valid for
/// [`ROTATION_OVERLAP`].
pub async fn reissue(
    services: &IdentityServices,
    tenant_id: TenantId,
    by: impl Into<By>,
    agent_id: AgentId,
) -> Result<IssuedToken> {
    let now = services.clock.now();
    let mut tx = services.db.tenant(tenant_id).await?;
    agent_token_store::limit_agent_tokens(&mut tx, agent_id, now, now + ROTATION_OVERLAP).await?;
    tx.commit().await?;
    let issued = create(services, tenant_id, by, agent_id, None).await?;
    services.invalidate_caches();
    Ok(issued)
}

/// Creates a token that replaces another, which stays valid for [`ROTATION_OVERLAP`]. A rotation can be repeated until
/// the new token is used, which ends the new token and creates another: the first answer was lost. Once the new token
/// was used, the old one cannot be rotated, so a leaked old token is worthless.
pub async fn rotate(
    services: &IdentityServices,
    tenant_id: TenantId,
    by: impl Into<By>,
    id: AgentTokenId,
    expires_at: Option<Time>,
) -> Result<IssuedToken> {
    let (by, now) = (by.into(), services.clock.now());
    let (issued, generated) = generate_token(services);
    let mut tx = services.db.tenant(tenant_id).await?;
    let agent_id = store::replace_agent_token(&mut tx, id, issued.id, now, now + ROTATION_OVERLAP).await?;
    let agent_id = agent_id.ok_or_else(not_found)?;
    let token = NewToken { tenant_id, agent_id, expires_at, by: &by };
    token.insert(services, &mut tx, &generated).await?;
    audit::record(
        &mut tx,
        AuditEntry::new(by, now, "agent_token.rotate", id)
            .with_after(json!({"agent_id": agent_id, "rotated_to": issued.id, "expires_at": expires_at})),
    );
    tx.commit().await?;
    services.invalidate_caches();
    Ok(issued)
}

/// Revokes a token: at once in this process, and within seconds everywhere.
pub async fn revoke(
    services: &IdentityServices,
    tenant_id: TenantId,
    by: impl Into<By>,
    id: AgentTokenId,
) -> Result<()> {
    let (by, now) = (by.into(), services.clock.now());
    let mut tx = services.db.tenant(tenant_id).await?;
    let agent_id = agent_token_store::end_agent_token(&mut tx, id, now).await?.ok_or_else(not_found)?;
    audit::record(
        &mut tx,
        AuditEntry::new(by, now, "agent_token.revoke", id).with_before(json!({"agent_id": agent_id})),
    );
    tx.commit().await?;
    services.invalidate_caches();
    Ok(())
}

/// Records the first use of a token: from then on the token that it replaced cannot be rotated again.
pub async fn record_use(services: &IdentityServices, agent: &AgentCaller) -> Result<()> {
    if let AgentCredential::Token { id, is_new: true } = agent.credential {
        store::record_agent_token_use(&services.db, id, services.clock.now()).await?;
    }
    Ok(())
}

fn generate_token(services: &IdentityServices) -> (IssuedToken, GeneratedKey) {
    let generated = key::generate_agent_token(&services.pepper, &services.environment);
    (IssuedToken { id: AgentTokenId(generated.id.0), text: generated.text.clone() }, generated)
}

/// The properties of a token that is about to be inserted.
struct NewToken<'a> {
    tenant_id: TenantId,
    agent_id: AgentId,
    expires_at: Option<Time>,
    by: &'a By,
}

impl NewToken<'_> {
    /// Inserts the token; false if the tenant has no such agent of its own.
    async fn insert(&self, services: &IdentityServices, tx: &mut Tx, generated: &GeneratedKey) -> Result<bool> {
        let insert = AgentTokenInsert {
            tenant_id: self.tenant_id,
            id: AgentTokenId(generated.id.0),
            agent_id: self.agent_id,
            environment: &services.environment,
            secret_hash: &generated.hash,
            expires_at: self.expires_at,
            created_by: &self.by.actor,
            created_at: services.clock.now(),
        };
        store::insert_agent_token(tx, &insert).await
    }
}

fn not_found() -> Error {
    Error::new(Code::AgentTokenNotFound, "There is no valid token with this id.")
}
