//! The use cases of the marketplace: share an agent, list what is offered, enable and disable it.
//!
//! Shares and enablements of an agent change under one lock, so that no tenant enables an agent that is no longer
//! offered.

use std::time::Duration;

use serde_json::json;

use crate::{
    agents::{
        registry::{Agent, service::lock_own_agent, store::not_found},
        services::AgentServices,
    },
    identity::{
        audit::{self, AuditEntry},
        auth::Caller,
    },
    kernel::{
        clock::Time,
        error::{Error, Result},
        id::AgentId,
    },
    platform::{
        postgres::{Tx, lock_names},
        queue::job::Job,
    },
};

use super::{
    ListingCursor, ListingFilter, RankedListing, ShareTarget,
    store::{self, Listing, Share},
};

/// With how many tenants an agent can be shared by name.
const MAX_SHARES: i64 = 1000;

/// Shares an agent of the caller's tenant. The answer does not disclose whether the named tenant exists.
pub async fn create_share(
    services: &AgentServices,
    caller: &Caller,
    id: AgentId,
    target: &ShareTarget,
) -> Result<Share> {
    let now = services.clock.now();
    let (mut tx, _) = lock_shares(services, caller, id).await?;
    let (with, shares) = store::named_tenant(&mut tx, id, target.name()).await?;
    let with = with.filter(|_| *target != ShareTarget::All);
    if with == Some(caller.tenant_id) {
        return Err(Error::invalid_field("tenant", "is the agent's own"));
    }
    let share = Share { named: target.name().to_owned(), created_by: caller.actor(), created_at: now };
    let (share, made) = store::put_share(&mut tx, id, &share, with).await?;
    if made && shares >= MAX_SHARES {
        let message = format!("an agent is shared with at most {MAX_SHARES} tenants by name; share it with all");
        return Err(Error::invalid_field("tenant", message));
    }
    if *target == ShareTarget::All {
        store::share_with_all(&mut tx, id, true).await?;
    }
    if made {
        audit::record(
            &mut tx,
            AuditEntry::new(caller, now, "agent.share", id).with_after(json!({"tenant": share.named})),
        );
    }
    tx.commit().await?;
    Ok(share)
}

/// Withdraws a share: the tenants that lose access start no new sessions on the agent. Running sessions finish.
pub async fn delete_share(services: &AgentServices, caller: &Caller, id: AgentId, target: &ShareTarget) -> Result<()> {
    let (mut tx, _) = lock_shares(services, caller, id).await?;
    let (with, _) = store::named_tenant(&mut tx, id, target.name()).await?;
    let with = with.filter(|_| *target != ShareTarget::All);
    if *target == ShareTarget::All {
        store::share_with_all(&mut tx, id, false).await?;
    }
    if store::remove_shares(&mut tx, id, target.name(), with).await? {
        let entry = AuditEntry::new(caller, services.clock.now(), "agent.unshare", id);
        audit::record(&mut tx, entry.with_before(json!({"tenant": target.name()})));
    }
    store::withdraw_listing(&mut tx, id).await?;
    tx.commit().await?;
    services.enqueue(&[(Job::reassign_sessions(caller.tenant_id, id), Duration::ZERO)]).await;
    Ok(())
}

/// The shares of an agent of the caller's tenant.
pub async fn list_shares(services: &AgentServices, caller: &Caller, id: AgentId) -> Result<Vec<Share>> {
    let mut tx = services.db.tenant(caller.tenant_id).await?;
    lock_own_agent(&mut tx, caller, id).await?;
    tx.commit().await?;
    store::list_shares(&services.db, caller.tenant_id, id).await
}

/// Begins a transaction that holds the lock on the shares of an agent of the caller's tenant.
async fn lock_shares(services: &AgentServices, caller: &Caller, id: AgentId) -> Result<(Tx, Agent)> {
    let mut tx = services.db.tenant(caller.tenant_id).await?;
    tx.take_lock(&lock_names::agent_offers(id));
    let agent = lock_own_agent(&mut tx, caller, id).await?;
    Ok((tx, agent))
}

/// A page of the listings for the caller's tenant, the best first.
pub async fn list_listings(
    services: &AgentServices,
    caller: &Caller,
    filter: &ListingFilter,
    after: Option<ListingCursor>,
    limit: usize,
) -> Result<Vec<RankedListing>> {
    let now = services.clock.now();
    let offered = store::list_offers(&services.db, caller.tenant_id).await?;
    let fitting = offered.into_iter().filter(|listing| filter.matches(listing));
    let mut ranked: Vec<_> =
        fitting.map(|listing| RankedListing { rank: filter.sort.rank(&listing), listing, now }).collect();
    let order = |rank: f64, id: AgentId, other: &ListingCursor| rank.total_cmp(&other.0).then(id.cmp(&other.1));
    ranked.sort_by(|one, other| order(one.rank, one.listing.agent.id, &(other.rank, other.listing.agent.id)));
    ranked.retain(|one| after.is_none_or(|after| order(one.rank, one.listing.agent.id, &after).is_gt()));
    ranked.truncate(limit);
    Ok(ranked)
}

/// One listing for the caller's tenant. An agent that is not offered counts as unknown.
pub async fn get_listing(services: &AgentServices, caller: &Caller, id: AgentId) -> Result<(Listing, Time)> {
    let listing = store::find_offer(&services.db, caller.tenant_id, id).await?.ok_or_else(|| not_found(id))?;
    Ok((listing, services.clock.now()))
}

/// Enables a listed agent for the caller's tenant.
pub async fn enable_agent(services: &AgentServices, caller: &Caller, id: AgentId) -> Result<(Listing, Time)> {
    let (mut tx, mut listing, now) = lock_listing(services, caller, id).await?;
    if store::enable_agent(&mut tx, id, &caller.actor(), now).await? {
        audit::record(&mut tx, AuditEntry::new(caller, now, "agent.enable", id).with_after(audit_fields(&listing)));
    }
    tx.commit().await?;
    listing.enabled = true;
    Ok((listing, now))
}

/// Disables an agent of another tenant: no new sessions of the caller's tenant start on it. Running sessions finish.
pub async fn disable_agent(services: &AgentServices, caller: &Caller, id: AgentId) -> Result<()> {
    let (mut tx, listing, now) = lock_listing(services, caller, id).await?;
    if store::disable_agent(&mut tx, id).await? {
        audit::record(&mut tx, AuditEntry::new(caller, now, "agent.disable", id).with_before(audit_fields(&listing)));
    }
    tx.commit().await?;
    services.enqueue(&[(Job::reassign_sessions(caller.tenant_id, id), Duration::ZERO)]).await;
    Ok(())
}

async fn lock_listing(services: &AgentServices, caller: &Caller, id: AgentId) -> Result<(Tx, Listing, Time)> {
    let mut tx = services.db.tenant(caller.tenant_id).await?;
    tx.take_lock(&lock_names::agent_offers(id));
    let listing = store::offer_in(&mut tx, id).await?.ok_or_else(|| not_found(id))?;
    Ok((tx, listing, services.clock.now()))
}

fn audit_fields(listing: &Listing) -> serde_json::Value {
    json!({"name": listing.agent.name, "publisher": listing.publisher})
}
