//! SQL of tenants.

use chrono::NaiveDate;
use tokio_postgres::{Row, types::Json};

use crate::{
    identity::auth::store::parse_role,
    kernel::{
        calendar::month_of,
        clock::Time,
        error::{Code, Error, Result},
        id::{SessionId, TenantId},
    },
    platform::postgres::{Db, OnConstraint, Tx},
};

use super::{Admission, QuotaOverrides, Tenant, TenantLimits, TenantSettings, quotas::StoredAmounts};

// `list_tenants` does not return require_conformance, which a function reads by the tenant's id.
const COLUMNS: &str = "id, tenant_requires_conformance(id) as require_conformance, name, slug, max_concurrent_sessions,
    max_queued_sessions, max_tokens_per_month, admission,
    signup, signup_role, audit_retention_days, calls_per_minute, training_consent, metadata, is_active, version, created_at,
    updated_at, quotas";

fn read_tenant(row: &Row) -> Result<Tenant> {
    let admission: &str = row.try_get("admission")?;
    let Json(metadata) = row.try_get("metadata")?;
    let Json(quotas) = row.try_get("quotas")?;
    Ok(Tenant {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        slug: row.try_get("slug")?,
        limits: TenantLimits {
            max_concurrent_sessions: row.try_get("max_concurrent_sessions")?,
            max_queued_sessions: row.try_get("max_queued_sessions")?,
            max_tokens_per_month: row.try_get("max_tokens_per_month")?,
            admission: Admission::parse(admission).ok_or_else(|| Error::internal(format!("admission {admission}")))?,
        },
        settings: TenantSettings {
            signup: row.try_get("signup")?,
            signup_role: parse_role(row.try_get("signup_role")?)?,
            audit_retention_days: row.try_get("audit_retention_days")?,
            calls_per_minute: row.try_get("calls_per_minute")?,
            training_consent: row.try_get("training_consent")?,
            quotas,
            require_conformance: row.try_get("require_conformance")?,
            metadata,
        },
        is_active: row.try_get("is_active")?,
        version: row.try_get("version")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}

#[track_caller]
fn not_found() -> Error {
    Error::new(Code::TenantNotFound, "There is no such tenant.")
}

/// Inserts a tenant, in a transaction of that tenant; ends it. A slug that is in use fails with `ALREADY_EXISTS`.
pub async fn insert(tx: Tx, tenant: &Tenant) -> Result<()> {
    let (limits, settings) = (tenant.limits, &tenant.settings);
    tx.query_and_commit(
        "insert into tenants (id, name, slug, max_concurrent_sessions, max_queued_sessions, max_tokens_per_month,
                              admission, signup, signup_role, audit_retention_days, calls_per_minute,
                              training_consent, metadata, created_at, updated_at, quotas, require_conformance)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14, $15, $16)",
        &[
            &tenant.id,
            &tenant.name,
            &tenant.slug,
            &limits.max_concurrent_sessions,
            &limits.max_queued_sessions,
            &limits.max_tokens_per_month,
            &limits.admission.name(),
            &settings.signup,
            &settings.signup_role.name(),
            &settings.audit_retention_days,
            &settings.calls_per_minute,
            &settings.training_consent,
            &Json(&settings.metadata),
            &tenant.created_at,
            &Json(settings.quotas),
            &settings.require_conformance,
        ],
    )
    .await
    .on_constraint("tenants_slug_key", || {
        Error::new(Code::AlreadyExists, format!("The slug {} is already in use.", tenant.slug))
    })?;
    Ok(())
}

pub async fn find_tenant(db: &Db, id: TenantId) -> Result<Tenant> {
    let sql = format!("select {COLUMNS} from tenants where id = $1 and deleted_at is null");
    db.read(id, &sql, &[&id]).await?.first().map(read_tenant).transpose()?.ok_or_else(not_found)
}

/// Reads a tenant and locks it until the end of the transaction.
pub async fn lock_tenant(tx: &mut Tx, id: TenantId) -> Result<Tenant> {
    let sql = format!("select {COLUMNS} from tenants where id = $1 and deleted_at is null for no key update");
    tx.query_opt(&sql, &[&id]).await?.as_ref().map(read_tenant).transpose()?.ok_or_else(not_found)
}

/// Writes a tenant that this transaction has locked; ends it.
pub async fn update_tenant(tx: Tx, tenant: &Tenant) -> Result<()> {
    let (limits, settings) = (tenant.limits, &tenant.settings);
    tx.query_and_commit(
        "update tenants set name = $2, max_concurrent_sessions = $3, max_queued_sessions = $4, max_tokens_per_month = $5,
                admission = $6, signup = $7, signup_role = $8, audit_retention_days = $9, calls_per_minute = $10,
                training_consent = $11, metadata = $12, is_active = $13, version = $14, updated_at = $15,
                quotas = $16, require_conformance = $17
         where id = $1",
        &[
            &tenant.id,
            &tenant.name,
            &limits.max_concurrent_sessions,
            &limits.max_queued_sessions,
            &limits.max_tokens_per_month,
            &limits.admission.name(),
            &settings.signup,
            &settings.signup_role.name(),
            &settings.audit_retention_days,
            &settings.calls_per_minute,
            &settings.training_consent,
            &Json(&settings.metadata),
            &tenant.is_active,
            &tenant.version,
            &tenant.updated_at,
            &Json(settings.quotas),
            &settings.require_conformance,
        ],
    )
    .await?;
    Ok(())
}

/// Selects tenants: all conditions that are present must hold.
#[derive(Clone, Debug, Default)]
pub struct TenantFilter {
    pub is_active: Option<bool>,
    /// A part of the name or the slug.
    pub q: Option<String>,
}

/// A page of the tenants created before `before`, newest first. Only for admins.
pub async fn list(db: &Db, filter: &TenantFilter, before: Option<TenantId>, most: i64) -> Result<Vec<Tenant>> {
    let sql = format!("select {COLUMNS} from list_tenants($1, $2, $3, $4) order by id desc");
    db.query_directory(&sql, &[&before, &most, &filter.is_active, &filter.q]).await?.iter().map(read_tenant).collect()
}

/// The number of running sessions and training jobs of a tenant. A job counts before it is submitted: the provider may
/// already have it, or a worker that holds its lease may be about to submit it.
pub async fn count_running(tx: &mut Tx, id: TenantId, now: Time) -> Result<i64> {
    let sql = "select (select count(*) from sessions where tenant_id = $1 and occupies_slot(status, offered_until))
                    + (select count(*) from training_jobs where tenant_id = $1
                       and (status in ('running', 'evaluating') or stopping
                            or status = 'queued' and (submitted_at is not null or lease_until > $2))) as running";
    let row = tx.query_opt(sql, &[&id, &now]).await?.ok_or_else(not_found)?;
    Ok(row.try_get("running")?)
}

/// Marks a tenant as deleted: from now on no query finds it.
pub async fn mark_deleted(tx: Tx, id: TenantId, now: Time) -> Result<()> {
    tx.query_and_commit("update tenants set deleted_at = $2 where id = $1", &[&id, &now]).await?;
    Ok(())
}

/// Locks a tenant that is marked as deleted, so that no other process removes it concurrently; false if there is none.
pub async fn lock_deleted(tx: &mut Tx, id: TenantId) -> Result<bool> {
    let sql = "select 1 from tenants where id = $1 and deleted_at is not null for update";
    Ok(tx.query_opt(sql, &[&id]).await?.is_some())
}

/// Up to `most` sessions of a tenant. All sessions of a large tenant would exceed the statement timeout.
pub async fn find_sessions(tx: &mut Tx, id: TenantId, most: i64) -> Result<Vec<SessionId>> {
    let sql = "select id from sessions where tenant_id = $1 limit $2";
    tx.query(sql, &[&id, &most]).await?.iter().map(|row| Ok(row.try_get("id")?)).collect()
}

/// Deletes sessions of a tenant with every row that belongs to them.
pub async fn delete_sessions(tx: Tx, id: TenantId, sessions: &[SessionId]) -> Result<()> {
    tx.query_and_commit("delete from sessions where tenant_id = $1 and id = any($2)", &[&id, &sessions]).await?;
    Ok(())
}

/// Deletes a tenant that is marked as deleted, with every row that belongs to it.
pub async fn delete(tx: Tx, id: TenantId) -> Result<()> {
    tx.query_and_commit("delete from tenants where id = $1 and deleted_at is not null", &[&id]).await?;
    Ok(())
}

/// Tenants with a change that is not applied in full, each with whether it is marked as deleted.
pub async fn find_unreconciled(db: &Db) -> Result<Vec<(TenantId, bool)>> {
    let rows = db.query_directory("select tenant_id, deleted from tenants_to_reconcile()", &[]).await?;
    rows.iter().map(|row| Ok((row.try_get("tenant_id")?, row.try_get("deleted")?))).collect()
}

/// The limits of a tenant, and their usage.
pub struct TenantUsage {
    pub max_concurrent: i64,
    pub running: i64,
    pub max_queued: i64,
    pub queued: i64,
    pub max_tokens: i64,
    pub tokens: i64,
    pub stored: StoredAmounts,
    pub api_keys: i64,
    pub agents: i64,
    pub quotas: QuotaOverrides,
}

pub async fn read_usage(db: &Db, id: TenantId, now: Time) -> Result<TenantUsage> {
    let sql = "select t.max_concurrent_sessions::bigint as max_concurrent, t.max_queued_sessions::bigint as max_queued,
                   t.max_tokens_per_month as max_tokens,
                   (select count(*) from sessions r where r.tenant_id = t.id and occupies_slot(r.status, r.offered_until)) as running,
                   (select count(*) from sessions q where q.tenant_id = t.id and q.status = 'queued' and q.offered_until is null) as queued,
                   coalesce((select u.tokens from tenant_usage u where u.tenant_id = t.id and u.month = $2), 0) as tokens,
                   (select count(*) from sessions o where o.tenant_id = t.id and o.ended_at is null) as open_sessions,
                   coalesce((select s.stored_bytes from tenant_storage s where s.tenant_id = t.id), 0) as stored_bytes,
                   (select count(*) from api_keys k where k.tenant_id = t.id and k.revoked_at is null
                       and (k.expires_at is null or k.expires_at > $3)) as api_keys,
                   (select count(*) from agents a where a.tenant_id = t.id and a.state <> 'deregistered') as agents,
                   t.quotas
               from tenants t where t.id = $1";
    let rows = db.read(id, sql, &[&id, &month_of(now), &now]).await?;
    let row = rows.first().ok_or_else(not_found)?;
    let Json(quotas) = row.try_get("quotas")?;
    let stored =
        StoredAmounts { open_sessions: row.try_get("open_sessions")?, stored_bytes: row.try_get("stored_bytes")? };
    Ok(TenantUsage {
        max_concurrent: row.try_get("max_concurrent")?,
        running: row.try_get("running")?,
        max_queued: row.try_get("max_queued")?,
        queued: row.try_get("queued")?,
        max_tokens: row.try_get("max_tokens")?,
        tokens: row.try_get("tokens")?,
        stored,
        api_keys: row.try_get("api_keys")?,
        agents: row.try_get("agents")?,
        quotas,
    })
}

/// Adds tokens to those that a tenant used in a month, or takes them away, down to zero. Returns the new number.
pub async fn add_tokens(tx: &mut Tx, id: TenantId, month: NaiveDate, tokens: i64) -> Result<i64> {
    let sql = "insert into tenant_usage (tenant_id, month, tokens) values ($1, $2, greatest($3::bigint, 0))
               on conflict (tenant_id, month) do update set tokens = greatest(tenant_usage.tokens + $3, 0)
               returning tokens";
    let row = tx.query_opt(sql, &[&id, &month, &tokens]).await?.ok_or_else(not_found)?;
    Ok(row.try_get("tokens")?)
}

/// The number of a tenant's valid API keys, and its own limits.
pub async fn count_keys(tx: &mut Tx, id: TenantId, now: Time) -> Result<(i64, QuotaOverrides)> {
    let sql = "select (select count(*) from api_keys k where k.tenant_id = t.id and k.revoked_at is null
                   and (k.expires_at is null or k.expires_at > $2)) as used, t.quotas
               from tenants t where t.id = $1";
    let row = tx.query_opt(sql, &[&id, &now]).await?.ok_or_else(not_found)?;
    let Json(own) = row.try_get("quotas")?;
    Ok((row.try_get("used")?, own))
}

/// The number of a tenant's registered agents, and its own limits.
pub async fn count_agents(tx: &mut Tx, id: TenantId) -> Result<(i64, QuotaOverrides)> {
    let sql = "select (select count(*) from agents a where a.tenant_id = t.id and a.state <> 'deregistered') as used,
                   t.quotas
               from tenants t where t.id = $1";
    let row = tx.query_opt(sql, &[&id]).await?.ok_or_else(not_found)?;
    let Json(own) = row.try_get("quotas")?;
    Ok((row.try_get("used")?, own))
}
