//! Letting a call through, or telling its caller when to come again.

use std::time::Duration;

use super::{
    script::{Bucket, Level, Taken, take},
    store,
};
use crate::{
    app::App,
    auth::service::Identity,
    error::{Error, Result},
    id::TenantId,
};

/// How long a tenant's own limit is believed to be as it was read.
pub const KNOWN_FOR: Duration = Duration::from_secs(5);

/// What came of asking.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verdict {
    /// How long to wait, when the call is not let through.
    pub wait: Option<Duration>,
    /// Of each limit that there is. None while Redis does not answer.
    pub standings: Vec<Standing>,
}

/// How a caller stands with one limit.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Standing {
    /// `key` or `tenant`.
    pub name: &'static str,
    pub per_minute: u32,
    /// How many calls may come now.
    pub left: u32,
    /// Until when nothing would be used up any more, if no call came.
    pub full_in: Duration,
}

/// What a tenant used up of its calls.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Used {
    /// Calls per minute; `None` = unlimited.
    pub limit: Option<u32>,
    /// Calls that are not yet forgotten; `None` while Redis does not answer.
    pub used: Option<u32>,
    /// Until when all of them are.
    pub resets_in: Duration,
}

/// Counts a call of whoever sends it. An outage of Redis lets it through.
pub async fn count(app: &App, identity: &Identity) -> Result<Verdict> {
    let (tenant_id, who) = match identity {
        Identity::Caller(caller) => (caller.home_tenant_id, caller.principal.key()),
        Identity::Agent(agent) => (agent.tenant_id, format!("agent:{}", agent.agent_id)),
    };
    let rate = app.settings.rate;
    let of_tenant = tenant_limit(app, tenant_id).await?;
    let mut names = Vec::with_capacity(2);
    let mut buckets = Vec::with_capacity(2);
    if rate.per_key > 0 {
        names.push("key");
        buckets.push(Bucket::new(format!("calls:{{{tenant_id}}}:{who}"), rate.per_key, rate.burst));
    }
    if of_tenant > 0 {
        names.push("tenant");
        buckets.push(Bucket::new(key_of(tenant_id), of_tenant, rate.burst));
    }
    let Some(Taken { wait, levels }) = ask(app, &buckets, 1).await else {
        return Ok(Verdict { wait: None, standings: Vec::new() });
    };
    let told = names.into_iter().zip(&buckets).zip(levels);
    let standings = told.map(|((name, bucket), Level { left, full_in })| Standing {
        name,
        per_minute: bucket.per_minute,
        left,
        full_in,
    });
    Ok(Verdict { wait, standings: standings.collect() })
}

/// What a tenant used up of its calls; takes none itself.
pub async fn used(app: &App, tenant_id: TenantId) -> Result<Used> {
    let limit = tenant_limit(app, tenant_id).await?;
    if limit == 0 {
        return Ok(Used { limit: None, used: Some(0), resets_in: Duration::ZERO });
    }
    let bucket = Bucket::new(key_of(tenant_id), limit, app.settings.rate.burst);
    let level = ask(app, std::slice::from_ref(&bucket), 0).await.and_then(|taken| taken.levels.first().copied());
    Ok(Used {
        limit: Some(limit),
        used: level.map(|level| bucket.holds.saturating_sub(level.left)),
        resets_in: level.map_or(Duration::ZERO, |level| level.full_in),
    })
}

/// Whether calls are counted now; not so for a moment after Redis did not answer.
pub fn are_counted(app: &App) -> bool {
    app.limiter().may_ask()
}

fn key_of(tenant_id: TenantId) -> String {
    format!("calls:{{{tenant_id}}}")
}

/// The tenant's calls per minute: its own limit, or the platform's.
async fn tenant_limit(app: &App, tenant_id: TenantId) -> Result<u32> {
    let tenants = &app.limiter().tenants;
    let own = if let Some(known) = tenants.get(&tenant_id) {
        known
    } else {
        let own = store::calls_per_minute(&app.db, tenant_id).await?;
        tenants.insert(tenant_id, own);
        own
    };
    Ok(own.unwrap_or(app.settings.rate.per_tenant))
}

/// Asks Redis, unless it rests. `None` when it does not answer in time.
async fn ask(app: &App, buckets: &[Bucket], calls: u32) -> Option<Taken> {
    let limiter = app.limiter();
    if buckets.is_empty() || !limiter.may_ask() {
        return None;
    }
    let asked = tokio::time::timeout(app.settings.rate.patience, take(&app.cache, buckets, calls)).await;
    let answer = asked.unwrap_or_else(|late| Err(Error::unavailable("Redis", late)));
    match answer {
        Ok(taken) => {
            if limiter.answered() {
                tracing::info!("Redis answers again: calls are limited");
            }
            Some(taken)
        }
        Err(error) => {
            if limiter.failed() {
                tracing::warn!(?error, "Redis does not answer: calls are let through without a limit");
            }
            None
        }
    }
}
