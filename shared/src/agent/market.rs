//! The marketplace: agents that their owners offer to other tenants, which use them once they have enabled them.
//!
//! Offers and enablements of an agent are decided under one lock, so that nothing is enabled that is no longer offered.

use serde_json::json;

use crate::{
    app::App,
    audit::Entry,
    auth::Caller,
    clock::Time,
    db::Tx,
    error::{Error, Result},
    id::AgentId,
    tenant,
    unit::after_commit,
};

use super::{
    Agent,
    service::{own, settle_stranded},
    standing::confidence_interval,
    store::{self, Listing, Share, not_found},
};

/// With how many tenants an agent can be shared by name.
const MAX_SHARES: i64 = 1000;

/// The word that stands for every tenant.
const ALL: &str = "all";

/// The name under which the decisions about whom an agent is offered to, and who has it enabled, take turns.
pub(crate) fn offers(id: AgentId) -> String {
    format!("offers:{id}")
}

/// With whom an agent is to be shared.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Whom {
    All,
    /// A tenant by its slug or id, which may be nobody's.
    Tenant(String),
}

impl Whom {
    pub fn parse(text: &str) -> Result<Self> {
        if text == ALL {
            return Ok(Self::All);
        }
        if let Ok(id) = uuid::Uuid::try_parse(text) {
            return Ok(Self::Tenant(id.to_string()));
        }
        let slug = tenant::draft::slug(text.to_owned());
        slug.map(Self::Tenant).map_err(|_| Error::field("tenant", "must be a tenant's slug or id, or the word all"))
    }

    fn name(&self) -> &str {
        match self {
            Self::All => ALL,
            Self::Tenant(named) => named,
        }
    }
}

/// Offers an agent of the caller's tenant. What is answered does not depend on whether there is such a tenant.
pub async fn share(app: &App, caller: &Caller, id: AgentId, whom: &Whom) -> Result<Share> {
    let now = app.clock.now();
    let (mut tx, _) = open(app, caller, id).await?;
    let (with, shares) = store::named_tenant(&mut tx, id, whom.name()).await?;
    let with = with.filter(|_| *whom != Whom::All);
    if with == Some(caller.tenant_id) {
        return Err(Error::field("tenant", "is the agent's own"));
    }
    let share = Share { named: whom.name().to_owned(), created_by: caller.actor(), created_at: now };
    let (share, made) = store::put_share(&mut tx, id, &share, with).await?;
    if made && shares >= MAX_SHARES {
        let message = format!("an agent is shared with at most {MAX_SHARES} tenants by name; share it with all");
        return Err(Error::field("tenant", message));
    }
    if *whom == Whom::All {
        store::share_with_all(&mut tx, id, true).await?;
    }
    if made {
        tx.audit(Entry::new(caller, now, "agent.share", id).after(json!({"tenant": share.named})));
    }
    tx.commit().await?;
    Ok(share)
}

/// Withdraws an offer: from now on nothing new of whom it was made to starts on the agent. What runs there finishes.
pub async fn unshare(app: &App, caller: &Caller, id: AgentId, whom: &Whom) -> Result<()> {
    let (mut tx, _) = open(app, caller, id).await?;
    let (with, _) = store::named_tenant(&mut tx, id, whom.name()).await?;
    let with = with.filter(|_| *whom != Whom::All);
    if *whom == Whom::All {
        store::share_with_all(&mut tx, id, false).await?;
    }
    if store::remove_shares(&mut tx, id, whom.name(), with).await? {
        let entry = Entry::new(caller, app.clock.now(), "agent.unshare", id);
        tx.audit(entry.before(json!({"tenant": whom.name()})));
    }
    store::withdraw(&mut tx, id).await?;
    tx.commit().await?;
    tell_the_stranded(app).await;
    Ok(())
}

/// With whom an agent of the caller's tenant is shared.
pub async fn shares(app: &App, caller: &Caller, id: AgentId) -> Result<Vec<Share>> {
    let mut tx = app.db.tenant(caller.tenant_id).await?;
    own(&mut tx, caller, id).await?;
    tx.commit().await?;
    store::shares(&app.db, caller.tenant_id, id).await
}

/// A transaction that decides about the offers of an agent of the caller's tenant.
async fn open(app: &App, caller: &Caller, id: AgentId) -> Result<(Tx, Agent)> {
    let mut tx = app.db.tenant(caller.tenant_id).await?;
    tx.lock(&offers(id));
    let agent = own(&mut tx, caller, id).await?;
    Ok((tx, agent))
}

/// What listings are put in order by, the best first.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Sort {
    /// By the success that is certain: the lower end of the confidence interval.
    #[default]
    Success,
    /// By the cost of one success.
    Cost,
    /// By the time that half of its results took at most.
    P50,
}

impl Sort {
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "success" => Some(Self::Success),
            "cost" => Some(Self::Cost),
            "p50" => Some(Self::P50),
            _ => None,
        }
    }

    /// The lower, the better; of what nothing is known, nothing good is assumed.
    fn rank(self, listing: &Listing) -> f64 {
        let figures = &listing.agent.figures;
        match self {
            Self::Success => confidence_interval(figures.succeeded, figures.finished).map_or(0.0, |(low, _)| -low),
            Self::Cost => figures.cost_per_success().unwrap_or(f64::INFINITY),
            Self::P50 => listing.p50_ms.unwrap_or(f64::INFINITY),
        }
    }
}

/// Which listings are wanted; all that is given must hold, and none of a list means all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub capability: Vec<String>,
    pub skill: Vec<String>,
    pub enabled: Option<bool>,
    /// A fragment of the name, the description or the publisher's name.
    pub q: Option<String>,
    pub sort: Sort,
}

impl Filter {
    fn holds(&self, listing: &Listing) -> bool {
        let agent = &listing.agent;
        let any = |wanted: &[String], had: &[String]| wanted.is_empty() || wanted.iter().any(|one| had.contains(one));
        let said = |q: &str| {
            let texts = [Some(&agent.name), agent.description.as_ref(), Some(&listing.publisher)];
            texts.into_iter().flatten().any(|text| text.to_lowercase().contains(&q.to_lowercase()))
        };
        any(&self.capability, &agent.capabilities)
            && any(&self.skill, &agent.skills)
            && self.enabled.is_none_or(|wanted| wanted == listing.enabled)
            && self.q.as_deref().is_none_or(said)
    }
}

/// A listing with its place in the order of the list that it was found in.
#[derive(Clone, Debug)]
pub struct Ranked {
    pub listing: Listing,
    pub rank: f64,
    pub now: Time,
}

/// Where a page of listings goes on: after this rank and id.
pub type After = (f64, AgentId);

/// A page of what is offered to the caller's tenant, the best first.
pub async fn list(
    app: &App,
    caller: &Caller,
    filter: &Filter,
    after: Option<After>,
    most: usize,
) -> Result<Vec<Ranked>> {
    let now = app.clock.now();
    let offered = store::offers(&app.db, caller.tenant_id).await?;
    let fitting = offered.into_iter().filter(|listing| filter.holds(listing));
    let mut ranked: Vec<_> = fitting.map(|listing| Ranked { rank: filter.sort.rank(&listing), listing, now }).collect();
    let order = |rank: f64, id: AgentId, other: &After| rank.total_cmp(&other.0).then(id.cmp(&other.1));
    ranked.sort_by(|one, other| order(one.rank, one.listing.agent.id, &(other.rank, other.listing.agent.id)));
    ranked.retain(|one| after.is_none_or(|after| order(one.rank, one.listing.agent.id, &after).is_gt()));
    ranked.truncate(most);
    Ok(ranked)
}

/// One agent that is offered to the caller's tenant. Another is answered as an unknown one.
pub async fn get(app: &App, caller: &Caller, id: AgentId) -> Result<(Listing, Time)> {
    let listing = store::offer(&app.db, caller.tenant_id, id).await?.ok_or_else(|| not_found(id))?;
    Ok((listing, app.clock.now()))
}

/// Lets the caller's tenant use an agent that is offered to it.
pub async fn enable(app: &App, caller: &Caller, id: AgentId) -> Result<(Listing, Time)> {
    let (mut tx, mut listing, now) = look(app, caller, id).await?;
    if store::enable(&mut tx, id, &caller.actor(), now).await? {
        tx.audit(Entry::new(caller, now, "agent.enable", id).after(of(&listing)));
    }
    tx.commit().await?;
    listing.enabled = true;
    Ok((listing, now))
}

/// Lets nothing new of the caller's tenant start on an agent of another. What runs there finishes.
pub async fn disable(app: &App, caller: &Caller, id: AgentId) -> Result<()> {
    let (mut tx, listing, now) = look(app, caller, id).await?;
    if store::disable(&mut tx, id).await? {
        tx.audit(Entry::new(caller, now, "agent.disable", id).before(of(&listing)));
    }
    tx.commit().await?;
    tell_the_stranded(app).await;
    Ok(())
}

async fn look(app: &App, caller: &Caller, id: AgentId) -> Result<(Tx, Listing, Time)> {
    let mut tx = app.db.tenant(caller.tenant_id).await?;
    tx.lock(&offers(id));
    let listing = store::offer_in(&mut tx, id).await?.ok_or_else(|| not_found(id))?;
    Ok((tx, listing, app.clock.now()))
}

fn of(listing: &Listing) -> serde_json::Value {
    json!({"name": listing.agent.name, "publisher": listing.publisher})
}

/// Those who wait by name for what their tenant may not use any more learn so now, and not only by the sweep.
async fn tell_the_stranded(app: &App) {
    let app = app.clone();
    after_commit(Box::pin(async move {
        if let Err(error) = settle_stranded(&app).await {
            tracing::warn!(?error, "who waits for a withdrawn agent was not told; the sweep will");
        }
    }))
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_is_named_by_slug_or_id_or_as_all_of_them() {
        let tenant = |named: &str| Whom::Tenant(named.to_owned());
        assert_eq!(Whom::parse("all").unwrap(), Whom::All);
        assert_eq!(Whom::parse("acme-2").unwrap(), tenant("acme-2"));
        let id = "01900000-0000-7000-8000-00000000000A";
        assert_eq!(Whom::parse(id).unwrap(), tenant(&id.to_lowercase()), "one id is one name");
        for wrong in ["", "a", "ALL", "Acme", "a b", "a'b", &"x".repeat(51)] {
            assert!(Whom::parse(wrong).is_err(), "{wrong}");
        }
    }
}
