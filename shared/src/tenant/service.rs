//! The use cases of tenants. What a change means for sessions follows its commit, from rows: after a crash in between, the
//! sweep carries it out.

use std::time::Duration;

use serde_json::Value;

use crate::{
    app::App,
    audit::Entry,
    auth::{Caller, service::forget},
    clock::Time,
    dispatch,
    error::{Code, Error, Refusals, Result},
    id::TenantId,
    limits::{self, service::Used},
    session::{self, change::next_month},
    text, tidy,
    unit::{after_commit, as_one},
};

use super::{
    Limits, NewTenant, Quota, QuotaName, Settings, Tenant,
    draft::{self, Patch},
    store::{self, Figures, Filter},
};

/// How long the removal of a tenant may take at once: whoever asked for it, and the sweep, have more to do.
const REMOVAL: Duration = Duration::from_secs(5);

/// How many sessions are removed by one statement, which Postgres gives up after some seconds.
const AT_A_TIME: i64 = 100;

/// Makes a tenant without anybody who asks for it: the first of an installation.
pub async fn create(app: &App, new: &NewTenant) -> Result<TenantId> {
    let mut refusals = Refusals::default();
    refusals.take("name", text::line(new.name.clone(), 2..=100));
    refusals.take("slug", draft::slug(new.slug.clone()));
    refusals.finish()?;
    let mut tenant = blank(app, new.name.clone(), new.slug.clone(), new.limits);
    tenant.settings.training_consent = new.training_consent;
    store::insert(app.db.tenant(tenant.id).await?, &tenant).await?;
    Ok(tenant.id)
}

/// Makes a tenant for an admin. It stands in its own log and in the admin's.
pub async fn open(app: &App, caller: &Caller, slug: String, patch: Patch) -> Result<Tenant> {
    let mut tenant = blank(app, String::new(), slug, Limits::default());
    patch.apply(&mut tenant);
    let entry = Entry::new(caller, tenant.created_at, "tenant.create", tenant.id).after(audited(&tenant)?);
    as_one(&app.db, async {
        let mut tx = app.db.tenant(tenant.id).await?;
        tx.audit(entry.clone());
        store::insert(tx, &tenant).await?;
        let mut tx = app.db.tenant(caller.home_tenant_id).await?;
        tx.audit(entry);
        tx.commit().await
    })
    .await?;
    Ok(tenant)
}

fn blank(app: &App, name: String, slug: String, limits: Limits) -> Tenant {
    let now = app.clock.now();
    Tenant {
        id: TenantId::new(),
        name,
        slug,
        limits,
        settings: Settings::default(),
        is_active: true,
        version: 1,
        created_at: now,
        updated_at: now,
    }
}

pub async fn get(app: &App, id: TenantId) -> Result<Tenant> {
    store::find(&app.db, id).await
}

/// A page of all tenants, newest first. For admins alone.
pub async fn list(app: &App, filter: &Filter, before: Option<TenantId>, most: i64) -> Result<Vec<Tenant>> {
    store::list(&app.db, filter, before, most).await
}

/// Changes a tenant, in a transaction of its own. With `version`, only that version of it.
pub async fn patch(app: &App, caller: &Caller, id: TenantId, patch: Patch, version: Option<i64>) -> Result<Tenant> {
    if patch.is_active == Some(false) && caller.home_tenant_id == id {
        let why = "is the tenant of your own credential: nobody of it could reactivate it";
        return Err(Error::field("is_active", why));
    }
    change(app, id, Some(caller), version, |tenant| patch.apply(tenant)).await
}

/// Sets the limits of a tenant without anybody who asks for it.
pub async fn set_limits(app: &App, id: TenantId, limits: Limits) -> Result<()> {
    change(app, id, None, None, |tenant| tenant.limits = limits).await.map(|_| ())
}

/// One change to a tenant, decided under the lock of its slots: what starts after it starts by its rules.
async fn change(
    app: &App,
    id: TenantId,
    caller: Option<&Caller>,
    version: Option<i64>,
    decide: impl FnOnce(&mut Tenant),
) -> Result<Tenant> {
    let mut tx = app.db.tenant(id).await?;
    tx.lock(&session::service::slots(id));
    let before = store::lock(&mut tx, id).await?;
    if version.is_some_and(|wanted| wanted != before.version) {
        return Err(Error::stale("tenant", before.version));
    }
    let mut tenant = before.clone();
    decide(&mut tenant);
    if tenant == before {
        tx.commit().await?;
        return Ok(before);
    }
    let now = app.clock.now();
    tenant.version += 1;
    tenant.updated_at = now;
    if let Some(caller) = caller {
        tx.audit(Entry::new(caller, now, "tenant.update", id).changes(&audited(&before)?, &audited(&tenant)?));
    }
    store::save(tx, &tenant).await?;
    let app = app.clone();
    after_commit(async move {
        forget(&app);
        if let Err(error) = Box::pin(settle(&app, id)).await {
            tracing::warn!(?error, tenant.id = %id, "a change of a tenant was not carried out in full; the sweep will");
        }
    })
    .await;
    Ok(tenant)
}

/// Brings the sessions of a tenant in line with it: held while it is not active, else started and resumed as far as its
/// limits allow.
async fn settle(app: &App, id: TenantId) -> Result<()> {
    let mut active = store::find(&app.db, id).await?.is_active;
    loop {
        if active {
            session::service::release_all(app, id).await?;
            dispatch::admit_for_tenant(app, id, None).await?;
            session::service::resume_spent(app, id).await?;
        } else {
            session::service::suspend_all(app, id).await?;
        }
        // Somebody may have decided otherwise meanwhile, and found our half of the work.
        let now_active = store::find(&app.db, id).await?.is_active;
        if now_active == active {
            return Ok(());
        }
        active = now_active;
    }
}

/// Carries out what was decided for tenants and broken off by a crash.
pub(crate) async fn settle_all(app: &App) -> Result<()> {
    for (id, deleted) in store::unsettled(&app.db).await? {
        let settled = if deleted { finish_removal(app, id).await } else { settle(app, id).await };
        if let Err(error) = settled {
            tracing::warn!(?error, tenant.id = %id, "a tenant could not be settled; the next sweep tries again");
        }
    }
    Ok(())
}

/// Removes a tenant and everything of it. It must be inactive, and nothing of it may run.
pub async fn remove(app: &App, caller: &Caller, id: TenantId) -> Result<()> {
    as_one(&app.db, async {
        let mut tx = app.db.tenant(id).await?;
        tx.lock(&session::service::slots(id));
        let tenant = store::lock(&mut tx, id).await?;
        if tenant.is_active {
            return Err(Error::new(Code::TenantActive, "The tenant is active."));
        }
        let now = app.clock.now();
        let running = store::running(&mut tx, id, now).await?;
        if running > 0 {
            return Err(Error::new(
                Code::TenantActive,
                format!("{running} sessions or training jobs of the tenant still run."),
            ));
        }
        let entry = Entry::new(caller, now, "tenant.delete", id).before(audited(&tenant)?);
        store::mark_deleted(tx, id, now).await?;
        let mut tx = app.db.tenant(caller.home_tenant_id).await?;
        tx.audit(entry);
        tx.commit().await
    })
    .await?;
    let app = app.clone();
    after_commit(async move {
        if let Err(error) = Box::pin(finish_removal(&app, id)).await {
            tracing::warn!(?error, tenant.id = %id, "a tenant was not removed in full; the sweep will");
        }
    })
    .await;
    Ok(())
}

/// Removes what is left of a tenant: files, its sessions some at a time, and last the rows that tell of it. Of the
/// workspaces at agents it is written down that they are to be given back. What takes longer goes on with the next sweep.
async fn finish_removal(app: &App, id: TenantId) -> Result<()> {
    if tokio::time::timeout(REMOVAL, Box::pin(remove_rest(app, id))).await.unwrap_or(Ok(false))? {
        return Ok(());
    }
    tracing::info!(tenant.id = %id, "a tenant is large; the next sweep goes on with its removal");
    Ok(())
}

/// Whether nothing is left of it.
async fn remove_rest(app: &App, id: TenantId) -> Result<bool> {
    app.files.remove_all(id).await?;
    loop {
        let mut tx = app.db.tenant(id).await?;
        if !store::lock_deleted(&mut tx, id).await? {
            tx.commit().await?;
            return Ok(true);
        }
        let some = store::some_sessions(&mut tx, id, AT_A_TIME).await?;
        let left = session::store::leave_workspaces(&mut tx, id, &some, app.clock.now()).await?;
        if some.is_empty() {
            store::remove(tx, id).await?;
            forget(app);
            return Ok(true);
        }
        store::remove_sessions(tx, id, &some).await?;
        tidy::ring(app, id, left).await;
    }
}

/// What the caller's tenant may use, and uses.
pub async fn quotas(app: &App, caller: &Caller) -> Result<Vec<Quota>> {
    let now = app.clock.now();
    let Figures { max_concurrent, running, max_queued, queued, max_tokens, tokens } =
        store::figures(&app.db, caller.tenant_id, now).await?;
    let quota = |name, limit: i64, used: i64| Quota { name, limit: Some(limit), used: Some(used), resets_at: None };
    Ok(vec![
        quota(QuotaName::ConcurrentSessions, max_concurrent, running),
        quota(QuotaName::QueuedSessions, max_queued, queued),
        Quota { resets_at: Some(next_month(now)), ..quota(QuotaName::TokensPerMonth, max_tokens, tokens) },
        calls(&limits::service::used(app, caller.tenant_id).await?, now),
    ])
}

/// The calls of a tenant's credentials: a hint while Redis does not answer.
fn calls(used: &Used, now: Time) -> Quota {
    Quota {
        name: QuotaName::CallsPerMinute,
        limit: used.limit.map(i64::from),
        used: used.used.map(i64::from),
        resets_at: used.used.map(|_| now + used.resets_in),
    }
}

/// What the audit log tells of a tenant.
fn audited(tenant: &Tenant) -> Result<Value> {
    let mut value = serde_json::to_value(tenant)?;
    if let Value::Object(fields) = &mut value {
        fields.retain(|name, _| !["version", "updated_at"].contains(&name.as_str()));
    }
    Ok(value)
}
