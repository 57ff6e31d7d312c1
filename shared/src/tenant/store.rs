//! SQL of tenants. Decides nothing.

use tokio_postgres::{Row, types::Json};

use crate::{
    auth::store::role,
    clock::Time,
    db::{Db, OnConstraint, Tx},
    error::{Code, Error, Result},
    id::{SessionId, TenantId},
    session::change::month_of,
};

use super::{Admission, Limits, Settings, Tenant};

const COLUMNS: &str = "id, name, slug, max_concurrent_sessions, max_queued_sessions, max_tokens_per_month, admission,
    signup, signup_role, audit_retention_days, calls_per_minute, training_consent, metadata, is_active, version, created_at,
    updated_at";

fn read(row: &Row) -> Result<Tenant> {
    let admission: &str = row.try_get("admission")?;
    let Json(metadata) = row.try_get("metadata")?;
    Ok(Tenant {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        slug: row.try_get("slug")?,
        limits: Limits {
            max_concurrent_sessions: row.try_get("max_concurrent_sessions")?,
            max_queued_sessions: row.try_get("max_queued_sessions")?,
            max_tokens_per_month: row.try_get("max_tokens_per_month")?,
            admission: Admission::parse(admission).ok_or_else(|| Error::internal(format!("admission {admission}")))?,
        },
        settings: Settings {
            signup: row.try_get("signup")?,
            signup_role: role(row.try_get("signup_role")?)?,
            audit_retention_days: row.try_get("audit_retention_days")?,
            calls_per_minute: row.try_get("calls_per_minute")?,
            training_consent: row.try_get("training_consent")?,
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

/// Writes a new tenant, in a transaction that sees it. A slug that is taken is `ALREADY_EXISTS`.
pub async fn insert(tx: Tx, tenant: &Tenant) -> Result<()> {
    let (limits, settings) = (tenant.limits, &tenant.settings);
    tx.finish(
        "insert into tenants (id, name, slug, max_concurrent_sessions, max_queued_sessions, max_tokens_per_month,
                              admission, signup, signup_role, audit_retention_days, calls_per_minute,
                              training_consent, metadata, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14)",
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
        ],
    )
    .await
    .on_constraint("tenants_slug_key", || {
        Error::new(Code::AlreadyExists, format!("The slug {} is taken.", tenant.slug))
    })?;
    Ok(())
}

pub async fn find(db: &Db, id: TenantId) -> Result<Tenant> {
    let sql = format!("select {COLUMNS} from tenants where id = $1 and deleted_at is null");
    db.read(id, &sql, &[&id]).await?.first().map(read).transpose()?.ok_or_else(not_found)
}

/// Reads a tenant and keeps it from changing until the end of the transaction.
pub async fn lock(tx: &mut Tx, id: TenantId) -> Result<Tenant> {
    let sql = format!("select {COLUMNS} from tenants where id = $1 and deleted_at is null for no key update");
    tx.query_opt(&sql, &[&id]).await?.as_ref().map(read).transpose()?.ok_or_else(not_found)
}

/// Writes a tenant that was locked in this transaction.
pub async fn save(tx: Tx, tenant: &Tenant) -> Result<()> {
    let (limits, settings) = (tenant.limits, &tenant.settings);
    tx.finish(
        "update tenants set name = $2, max_concurrent_sessions = $3, max_queued_sessions = $4, max_tokens_per_month = $5,
                admission = $6, signup = $7, signup_role = $8, audit_retention_days = $9, calls_per_minute = $10,
                training_consent = $11, metadata = $12, is_active = $13, version = $14, updated_at = $15
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
        ],
    )
    .await?;
    Ok(())
}

/// Which tenants are wanted; all that is given must hold.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub is_active: Option<bool>,
    /// A fragment of the name or the slug.
    pub q: Option<String>,
}

/// A page of all tenants, newest first, made before `before`. For admins alone.
pub async fn list(db: &Db, filter: &Filter, before: Option<TenantId>, most: i64) -> Result<Vec<Tenant>> {
    let sql = format!("select {COLUMNS} from list_tenants($1, $2, $3, $4) order by id desc");
    db.directory(&sql, &[&before, &most, &filter.is_active, &filter.q]).await?.iter().map(read).collect()
}

/// How many sessions and training jobs of a tenant run, seen by a transaction. A job runs from before it is handed over:
/// its provider may have it, or a worker that holds it may be about to hand it over.
pub async fn running(tx: &mut Tx, id: TenantId, now: Time) -> Result<i64> {
    let sql = "select (select count(*) from sessions where tenant_id = $1 and status in ('running', 'degraded'))
                    + (select count(*) from training_jobs where tenant_id = $1
                       and (status in ('running', 'evaluating') or stopping
                            or status = 'queued' and (submitted_at is not null or lease_until > $2))) as running";
    let row = tx.query_opt(sql, &[&id, &now]).await?.ok_or_else(not_found)?;
    Ok(row.try_get("running")?)
}

/// Decides the removal of a tenant: from now on nobody finds it.
pub async fn mark_deleted(tx: Tx, id: TenantId, now: Time) -> Result<()> {
    tx.finish("update tenants set deleted_at = $2 where id = $1", &[&id, &now]).await?;
    Ok(())
}

/// Whether there is a tenant whose removal was decided; nobody else carries that out until the transaction ends.
pub async fn lock_deleted(tx: &mut Tx, id: TenantId) -> Result<bool> {
    let sql = "select 1 from tenants where id = $1 and deleted_at is not null for update";
    Ok(tx.query_opt(sql, &[&id]).await?.is_some())
}

/// Some of its sessions: one statement may not take so long that all of a large tenant's could go with it.
pub async fn some_sessions(tx: &mut Tx, id: TenantId, most: i64) -> Result<Vec<SessionId>> {
    let sql = "select id from sessions where tenant_id = $1 limit $2";
    tx.query(sql, &[&id, &most]).await?.iter().map(|row| Ok(row.try_get("id")?)).collect()
}

/// Removes these sessions of it, with every row that belongs to them.
pub async fn remove_sessions(tx: Tx, id: TenantId, sessions: &[SessionId]) -> Result<()> {
    tx.finish("delete from sessions where tenant_id = $1 and id = any($2)", &[&id, &sessions]).await?;
    Ok(())
}

/// Removes a tenant whose removal was decided, with every row that belongs to it.
pub async fn remove(tx: Tx, id: TenantId) -> Result<()> {
    tx.finish("delete from tenants where id = $1 and deleted_at is not null", &[&id]).await?;
    Ok(())
}

/// Tenants for which something was decided that is not carried out in full, and whether they are to be removed.
pub async fn unsettled(db: &Db) -> Result<Vec<(TenantId, bool)>> {
    let rows = db.directory("select tenant_id, deleted from unsettled_tenants()", &[]).await?;
    rows.iter().map(|row| Ok((row.try_get("tenant_id")?, row.try_get("deleted")?))).collect()
}

/// What a tenant may use, and uses.
pub struct Figures {
    pub max_concurrent: i64,
    pub running: i64,
    pub max_queued: i64,
    pub queued: i64,
    pub max_tokens: i64,
    pub tokens: i64,
}

pub async fn figures(db: &Db, id: TenantId, now: Time) -> Result<Figures> {
    let sql = "select t.max_concurrent_sessions::bigint as max_concurrent, t.max_queued_sessions::bigint as max_queued,
                   t.max_tokens_per_month as max_tokens,
                   (select count(*) from sessions r where r.tenant_id = t.id and r.status in ('running', 'degraded')) as running,
                   (select count(*) from sessions q where q.tenant_id = t.id and q.status = 'queued') as queued,
                   coalesce((select u.tokens from tenant_usage u where u.tenant_id = t.id and u.month = $2), 0) as tokens
               from tenants t where t.id = $1";
    let rows = db.read(id, sql, &[&id, &month_of(now)]).await?;
    let row = rows.first().ok_or_else(not_found)?;
    Ok(Figures {
        max_concurrent: row.try_get("max_concurrent")?,
        running: row.try_get("running")?,
        max_queued: row.try_get("max_queued")?,
        queued: row.try_get("queued")?,
        max_tokens: row.try_get("max_tokens")?,
        tokens: row.try_get("tokens")?,
    })
}
