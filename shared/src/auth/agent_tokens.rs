//! The tokens that agents outside of the platform call us with: made, rotated and revoked, each on record.

use chrono::TimeDelta;
use serde_json::json;

use crate::{
    app::App,
    audit::{By, Entry},
    clock::Time,
    error::{Code, Error, Result},
    id::{AgentId, AgentTokenId, TenantId},
};

use super::{
    key::{self, Minted},
    service::forget,
    store::{self, NewAgentToken},
};

/// How long a token still works after another took its place, so that its agent can change over without a gap.
pub const OVERLAP: TimeDelta = TimeDelta::minutes(10);

/// A token that was just made. Its text is answered here and never again.
#[derive(Clone, Debug)]
pub struct Issued {
    pub id: AgentTokenId,
    pub text: String,
}

/// Makes a token for an agent of the tenant itself. The platform's own agents are called by us and have none.
pub async fn issue(
    app: &App,
    tenant_id: TenantId,
    by: impl Into<By>,
    agent_id: AgentId,
    expires_at: Option<Time>,
) -> Result<Issued> {
    let (by, now) = (by.into(), app.clock.now());
    let (issued, minted) = mint(app);
    let mut tx = app.db.tenant(tenant_id).await?;
    if !store::insert_agent_token(&mut tx, &new(app, tenant_id, &minted, agent_id, expires_at, &by, now)).await? {
        return Err(Error::new(Code::AgentNotFound, "Your tenant has no such agent."));
    }
    tx.audit(
        Entry::new(by, now, "agent_token.create", issued.id)
            .after(json!({"agent_id": agent_id, "expires_at": expires_at})),
    );
    tx.commit().await?;
    Ok(issued)
}

/// Makes a token in the place of another, which works on for [`OVERLAP`]. One that was rotated before, or that works no
/// more, makes no further one: who found an old token gains nothing by it.
pub async fn rotate(
    app: &App,
    tenant_id: TenantId,
    by: impl Into<By>,
    id: AgentTokenId,
    expires_at: Option<Time>,
) -> Result<Issued> {
    let (by, now) = (by.into(), app.clock.now());
    let (issued, minted) = mint(app);
    let mut tx = app.db.tenant(tenant_id).await?;
    let agent_id = store::replace_agent_token(&mut tx, id, issued.id, now, now + OVERLAP).await?;
    let agent_id = agent_id.ok_or_else(unknown)?;
    store::insert_agent_token(&mut tx, &new(app, tenant_id, &minted, agent_id, expires_at, &by, now)).await?;
    tx.audit(
        Entry::new(by, now, "agent_token.rotate", id)
            .after(json!({"agent_id": agent_id, "rotated_to": issued.id, "expires_at": expires_at})),
    );
    tx.commit().await?;
    forget(app);
    Ok(issued)
}

/// Ends a token: at once here, and within seconds everywhere.
pub async fn revoke(app: &App, tenant_id: TenantId, by: impl Into<By>, id: AgentTokenId) -> Result<()> {
    let (by, now) = (by.into(), app.clock.now());
    let mut tx = app.db.tenant(tenant_id).await?;
    let agent_id = store::end_agent_token(&mut tx, id, now).await?.ok_or_else(unknown)?;
    tx.audit(Entry::new(by, now, "agent_token.revoke", id).before(json!({"agent_id": agent_id})));
    tx.commit().await?;
    forget(app);
    Ok(())
}

fn mint(app: &App) -> (Issued, Minted) {
    let minted = key::mint_agent(&app.keys.pepper, &app.keys.environment);
    (Issued { id: AgentTokenId(minted.id.0), text: minted.text.clone() }, minted)
}

fn new<'a>(
    app: &'a App,
    tenant_id: TenantId,
    minted: &'a Minted,
    agent_id: AgentId,
    expires_at: Option<Time>,
    by: &'a By,
    now: Time,
) -> NewAgentToken<'a> {
    NewAgentToken {
        tenant_id,
        id: AgentTokenId(minted.id.0),
        agent_id,
        environment: &app.keys.environment,
        secret_hash: &minted.hash,
        expires_at,
        created_by: &by.actor,
        created_at: now,
    }
}

fn unknown() -> Error {
    Error::new(Code::AgentTokenNotFound, "There is no such token that still works.")
}
