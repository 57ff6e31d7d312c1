//! The use cases of tenants. A change of a tenant affects its sessions: the engine updates and deletes tenants with the
//! help of [`change_tenant`] and [`mark_deleted`].

use serde_json::{Value, json};

use crate::{
    identity::{
        audit::{self, AuditEntry},
        auth::Caller,
        rate_limits::{self, service::CallUsage},
        services::IdentityServices,
    },
    kernel::{
        calendar::{month_of, next_month},
        clock::Time,
        error::{Code, Error, Result, ValidationErrors},
        id::TenantId,
        text,
    },
    platform::postgres::{Tx, in_unit_of_work, lock_names},
};

use super::{
    InitialTenant, Quota, QuotaName, Tenant, TenantLimits, TenantSettings,
    correction::{CorrectedUsage, UsageCorrection},
    draft::{self, TenantChanges},
    quotas::check_quota,
    store::{self, TenantFilter, TenantUsage},
};

/// Creates a tenant without a caller, for setup.
pub async fn create_for_setup(services: &IdentityServices, new: &InitialTenant) -> Result<TenantId> {
    let mut refusals = ValidationErrors::default();
    refusals.check("name", text::parse_line(new.name.clone(), 2..=100));
    refusals.check("slug", draft::parse_slug(new.slug.clone()));
    refusals.into_result()?;
    let mut tenant = default_tenant(services, new.name.clone(), new.slug.clone(), new.limits);
    tenant.settings.training_consent = new.training_consent;
    store::insert(services.db.tenant(tenant.id).await?, &tenant).await?;
    Ok(tenant.id)
}

/// Creates a tenant for an admin. The audit logs of both the new tenant and the admin's tenant record it.
pub async fn create(
    services: &IdentityServices,
    caller: &Caller,
    slug: String,
    changes: TenantChanges,
) -> Result<Tenant> {
    let mut tenant = default_tenant(services, String::new(), slug, TenantLimits::default());
    changes.apply(&mut tenant);
    let entry = AuditEntry::new(caller, tenant.created_at, "tenant.create", tenant.id).with_after(audit_view(&tenant)?);
    in_unit_of_work(&services.db, async {
        let mut tx = services.db.tenant(tenant.id).await?;
        audit::record(&mut tx, entry.clone());
        store::insert(tx, &tenant).await?;
        let mut tx = services.db.tenant(caller.home_tenant_id).await?;
        audit::record(&mut tx, entry);
        tx.commit().await
    })
    .await?;
    Ok(tenant)
}

fn default_tenant(services: &IdentityServices, name: String, slug: String, limits: TenantLimits) -> Tenant {
    let now = services.clock.now();
    Tenant {
        id: TenantId::new(),
        name,
        slug,
        limits,
        settings: TenantSettings::default(),
        is_active: true,
        version: 1,
        created_at: now,
        updated_at: now,
    }
}

pub async fn get(services: &IdentityServices, id: TenantId) -> Result<Tenant> {
    store::find_tenant(&services.db, id).await
}

/// A page of all tenants, newest first. Only for admins.
pub async fn list(
    services: &IdentityServices,
    filter: &TenantFilter,
    before: Option<TenantId>,
    most: i64,
) -> Result<Vec<Tenant>> {
    store::list(&services.db, filter, before, most).await
}

/// A requested change of a tenant.
pub(crate) struct TenantUpdate<'a> {
    pub(crate) id: TenantId,
    /// The caller who is recorded in the audit log; `None` for setup.
    pub(crate) caller: Option<&'a Caller>,
    /// The version that the tenant must still have, if given.
    pub(crate) version: Option<i64>,
}

/// The result of a change of a tenant.
pub(crate) struct UpdatedTenant {
    pub(crate) tenant: Tenant,
    /// False if the tenant had all requested values before.
    pub(crate) is_changed: bool,
}

/// Changes a tenant under its admission lock, so that every later start obeys the new limits.
pub(crate) async fn change_tenant(
    services: &IdentityServices,
    update: TenantUpdate<'_>,
    decide: impl FnOnce(&mut Tenant),
) -> Result<UpdatedTenant> {
    let id = update.id;
    let mut tx = services.db.tenant(id).await?;
    tx.take_lock(&lock_names::tenant_slots(id));
    let before = store::lock_tenant(&mut tx, id).await?;
    if update.version.is_some_and(|wanted| wanted != before.version) {
        return Err(Error::stale_version("tenant", before.version));
    }
    let mut tenant = before.clone();
    decide(&mut tenant);
    if tenant == before {
        tx.commit().await?;
        return Ok(UpdatedTenant { tenant, is_changed: false });
    }
    let now = services.clock.now();
    tenant.version += 1;
    tenant.updated_at = now;
    if let Some(caller) = update.caller {
        let entry = AuditEntry::new(caller, now, "tenant.update", id);
        audit::record(&mut tx, entry.with_changes(&audit_view(&before)?, &audit_view(&tenant)?));
    }
    store::update_tenant(tx, &tenant).await?;
    services.invalidate_caches_after_commit().await;
    Ok(UpdatedTenant { tenant, is_changed: true })
}

/// Corrects the tokens that a tenant used this month. The count never falls below zero.
pub(crate) async fn correct_usage(
    services: &IdentityServices,
    caller: &Caller,
    id: TenantId,
    correction: UsageCorrection,
) -> Result<CorrectedUsage> {
    let mut tx = services.db.tenant(id).await?;
    tx.take_lock(&lock_names::tenant_slots(id));
    let tenant = store::lock_tenant(&mut tx, id).await?;
    let now = services.clock.now();
    let month = month_of(now);
    let tokens_this_month = store::add_tokens(&mut tx, id, month, correction.tokens).await?;
    let after = json!({"tokens": correction.tokens, "reason": correction.reason, "month": month,
        "tokens_this_month": tokens_this_month});
    audit::record(&mut tx, AuditEntry::new(caller, now, "tenant.correct_usage", id).with_after(after));
    tx.commit().await?;
    let max_tokens_per_month = tenant.limits.max_tokens_per_month;
    Ok(CorrectedUsage { tenant_id: id, month, tokens_this_month, max_tokens_per_month })
}

/// Marks a tenant as deleted, so that no query finds it. It must be inactive, and none of its sessions and training
/// jobs may run.
pub(crate) async fn mark_deleted(services: &IdentityServices, caller: &Caller, id: TenantId) -> Result<()> {
    in_unit_of_work(&services.db, async {
        let mut tx = services.db.tenant(id).await?;
        tx.take_lock(&lock_names::tenant_slots(id));
        let tenant = store::lock_tenant(&mut tx, id).await?;
        if tenant.is_active {
            return Err(Error::new(Code::TenantActive, "The tenant is active."));
        }
        let now = services.clock.now();
        let running = store::count_running(&mut tx, id, now).await?;
        if running > 0 {
            let detail = format!("{running} sessions or training jobs of the tenant are still running.");
            return Err(Error::new(Code::TenantActive, detail));
        }
        let entry = AuditEntry::new(caller, now, "tenant.delete", id).with_before(audit_view(&tenant)?);
        store::mark_deleted(tx, id, now).await?;
        let mut tx = services.db.tenant(caller.home_tenant_id).await?;
        audit::record(&mut tx, entry);
        tx.commit().await
    })
    .await
}

/// Refuses to store more for a tenant that has used up its quota of bytes, by the last count.
pub async fn check_stored_bytes(services: &IdentityServices, tenant_id: TenantId) -> Result<()> {
    let state = rate_limits::service::tenant_state(services, tenant_id).await?;
    let limits = services.quotas.with_overrides(state.quotas);
    check_quota("stored bytes", limits.stored_bytes, state.stored.stored_bytes)
}

/// Refuses one more session to a tenant that has used up its quota of open sessions or of bytes, by the last count.
pub async fn check_new_session(services: &IdentityServices, tenant_id: TenantId) -> Result<()> {
    let state = rate_limits::service::tenant_state(services, tenant_id).await?;
    let limits = services.quotas.with_overrides(state.quotas);
    check_quota("sessions that have not ended", limits.open_sessions, state.stored.open_sessions)?;
    check_stored_bytes(services, tenant_id).await
}

/// Refuses one more API key. The transaction must hold the lock of [`lock_names::tenant_keys`].
pub(crate) async fn check_new_key(services: &IdentityServices, tx: &mut Tx, tenant_id: TenantId) -> Result<()> {
    let (used, own) = store::count_keys(tx, tenant_id, services.clock.now()).await?;
    check_quota("API keys", services.quotas.with_overrides(own).api_keys, used)
}

/// Refuses one more agent. The transaction must hold the lock of [`lock_names::tenant_agents`].
pub(crate) async fn check_new_agent(services: &IdentityServices, tx: &mut Tx, tenant_id: TenantId) -> Result<()> {
    let (used, own) = store::count_agents(tx, tenant_id).await?;
    check_quota("agents", services.quotas.with_overrides(own).agents, used)
}

/// The quotas of the caller's tenant, and their usage.
pub async fn list_quotas(services: &IdentityServices, caller: &Caller) -> Result<Vec<Quota>> {
    let now = services.clock.now();
    let usage = store::read_usage(&services.db, caller.tenant_id, now).await?;
    let limits = services.quotas.with_overrides(usage.quotas);
    let TenantUsage { max_concurrent, running, max_queued, queued, max_tokens, tokens, stored, .. } = usage;
    let quota = |name, limit: i64, used: i64| Quota { name, limit: Some(limit), used: Some(used), resets_at: None };
    Ok(vec![
        quota(QuotaName::ConcurrentSessions, max_concurrent, running),
        quota(QuotaName::QueuedSessions, max_queued, queued),
        Quota { resets_at: Some(next_month(now)), ..quota(QuotaName::TokensPerMonth, max_tokens, tokens) },
        call_quota(&rate_limits::service::tenant_usage(services, caller.tenant_id).await?, now),
        quota(QuotaName::OpenSessions, limits.open_sessions, stored.open_sessions),
        quota(QuotaName::StoredBytes, limits.stored_bytes, stored.stored_bytes),
        quota(QuotaName::ApiKeys, limits.api_keys, usage.api_keys),
        quota(QuotaName::Agents, limits.agents, usage.agents),
    ])
}

/// The quota of calls. While Redis does not respond, its usage is that of this process.
fn call_quota(used: &CallUsage, now: Time) -> Quota {
    Quota {
        name: QuotaName::CallsPerMinute,
        limit: used.limit.map(i64::from),
        used: Some(i64::from(used.used)),
        resets_at: Some(now + used.resets_in),
    }
}

/// The fields of a tenant that the audit log records.
fn audit_view(tenant: &Tenant) -> Result<Value> {
    let mut value = serde_json::to_value(tenant)?;
    if let Value::Object(fields) = &mut value {
        fields.retain(|name, _| !["version", "updated_at"].contains(&name.as_str()));
    }
    Ok(value)
}
