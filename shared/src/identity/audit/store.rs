//! SQL of the audit log.

use serde::Serialize;
use tokio_postgres::{Client, Row, types::ToSql};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    kernel::{
        actor::Actor,
        clock::Time,
        error::{Code, Error, Result},
        id::{AuditId, TenantId},
    },
    platform::postgres::{Db, OwnedStatement},
};

use super::entry::AuditEntry;

const APPEND: &str = "select audit_append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

/// The statement that appends an entry to the chain of the transaction's tenant.
pub(crate) fn append_statement(entry: AuditEntry) -> OwnedStatement<'static> {
    let text = |text: Option<std::sync::Arc<str>>| text.map(|text| text.to_string());
    let values: Vec<Box<dyn ToSql + Sync + Send>> = vec![
        Box::new(AuditId::new()),
        Box::new(entry.at),
        Box::new(tokio_postgres::types::Json(entry.by.actor)),
        Box::new(entry.action),
        Box::new(entry.object_kind),
        Box::new(entry.object_id),
        Box::new(entry.before),
        Box::new(entry.after),
        Box::new(text(entry.by.request_id)),
        Box::new(text(entry.by.address)),
    ];
    OwnedStatement { sql: APPEND, values }
}

/// An entry of the audit log.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditRecord {
    /// The number of the entry in the tenant's log, from 1 without gaps.
    pub seq: i64,
    /// The id of the entry.
    pub id: Uuid,
    /// When the change was made.
    #[schema(value_type = String, format = DateTime)]
    pub at: Time,
    /// The actor that made the change.
    pub actor: Actor,
    /// The change, such as `session.stop` or `api_key.revoke`.
    pub action: String,
    /// The kind of the changed object.
    pub object_kind: String,
    /// The id of the changed object.
    pub object_id: String,
    /// The previous values of the changed fields; secrets are masked.
    #[schema(value_type = Option<Object>)]
    pub before: Option<serde_json::Value>,
    /// The new values of the changed fields; secrets are masked.
    #[schema(value_type = Option<Object>)]
    pub after: Option<serde_json::Value>,
    /// The id of the request; null for changes by the system.
    pub request_id: Option<String>,
    /// The network address of the client; null if unknown.
    pub address: Option<String>,
    /// The SHA-256 over the hash of the previous entry and this entry, in hexadecimal.
    pub hash: String,
}

impl AuditRecord {
    fn read(row: &Row) -> Result<Self> {
        let tokio_postgres::types::Json(actor) = row.try_get("actor")?;
        Ok(Self {
            seq: row.try_get("seq")?,
            id: row.try_get("id")?,
            at: row.try_get("at")?,
            actor,
            action: row.try_get("action")?,
            object_kind: row.try_get("object_kind")?,
            object_id: row.try_get("object_id")?,
            before: row.try_get("before")?,
            after: row.try_get("after")?,
            request_id: row.try_get("request_id")?,
            address: row.try_get("address")?,
            hash: hex::encode(row.try_get::<_, Vec<u8>>("hash")?),
        })
    }
}

/// Selects entries: all conditions that are present must hold.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    pub action: Option<Vec<String>>,
    pub object_kind: Option<String>,
    pub object_id: Option<String>,
    pub actor_id: Option<String>,
    pub since: Option<Time>,
    pub until: Option<Time>,
}

/// A page of the entries before number `before`, newest first.
pub async fn list(
    db: &Db,
    tenant_id: TenantId,
    filter: &AuditFilter,
    before: Option<i64>,
    most: i64,
) -> Result<Vec<AuditRecord>> {
    let sql = "select * from audit_entries
               where tenant_id = $1 and ($2::bigint is null or seq < $2)
                 and ($3::text[] is null or action = any($3)) and ($4::text is null or object_kind = $4)
                 and ($5::text is null or object_id = $5) and ($6::text is null or actor->>'id' = $6)
                 and ($7::timestamptz is null or at >= $7) and ($8::timestamptz is null or at < $8)
               order by seq desc limit $9";
    let params: [&(dyn ToSql + Sync); 9] = [
        &tenant_id,
        &before,
        &filter.action,
        &filter.object_kind,
        &filter.object_id,
        &filter.actor_id,
        &filter.since,
        &filter.until,
        &most,
    ];
    db.read(tenant_id, sql, &params).await?.iter().map(AuditRecord::read).collect()
}

/// A page of the entries after number `seq`, oldest first, as an export reads them.
pub async fn list_after(db: &Db, tenant_id: TenantId, seq: i64, most: i64) -> Result<Vec<AuditRecord>> {
    let sql = "select * from audit_entries where tenant_id = $1 and seq > $2 order by seq limit $3";
    db.read(tenant_id, sql, &[&tenant_id, &seq, &most]).await?.iter().map(AuditRecord::read).collect()
}

/// A place where the hash chain is broken.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChainBreak {
    /// The number of the entry.
    pub seq: i64,
    /// `changed`, `removed` or `inserted`.
    pub finding: String,
}

/// The result of a check of the audit log.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChainCheck {
    /// Whether no entry was changed, removed or inserted.
    pub intact: bool,
    /// The number of entries.
    pub entries: i64,
    /// The number of the newest entry. Together with its hash, recorded elsewhere, it proves later that no earlier
    /// entry was changed.
    pub head_seq: i64,
    /// The hash of the newest entry, in hexadecimal.
    pub head_hash: String,
    /// The first 100 places where the chain is broken.
    pub breaks: Vec<ChainBreak>,
}

/// Verifies the chain of a tenant.
pub async fn verify_chain(db: &Db, tenant_id: TenantId) -> Result<ChainCheck> {
    let mut tx = db.tenant(tenant_id).await?;
    let count = "select count(*) as entries, coalesce((select seq from audit_heads where tenant_id = $1), 0) as seq,
                        (select hash from audit_heads where tenant_id = $1) as hash
                 from audit_entries where tenant_id = $1";
    let answers =
        tx.query_all(&[("select seq, finding from audit_verify() limit 100", &[]), (count, &[&tenant_id])]).await?;
    tx.commit().await?;
    let found =
        answers[0].iter().map(|row| Ok(ChainBreak { seq: row.try_get("seq")?, finding: row.try_get("finding")? }));
    let breaks = found.collect::<Result<Vec<_>>>()?;
    let row = &answers[1][0];
    Ok(ChainCheck {
        intact: breaks.is_empty(),
        entries: row.try_get("entries")?,
        head_seq: row.try_get("seq")?,
        head_hash: hex::encode(row.try_get::<_, Option<Vec<u8>>>("hash")?.unwrap_or_default()),
        breaks,
    })
}

/// Drops a past month of the audit log, of all tenants, as the owner of the database. An anchor in each chain keeps the
/// rest verifiable. `month` is written as `2026-08`. Returns the tenants and the number of entries that each lost.
/// Fails if the month is not over, or if a tenant's retention keeps entries of it unless `ignore_retention` is set.
pub async fn drop_month(
    owner: &Client,
    month: &str,
    now: Time,
    ignore_retention: bool,
) -> Result<Vec<(TenantId, i64)>> {
    let sql = "select tenant_id, removed from audit_drop_month(to_date($1, 'YYYY-MM'), $2, $3)";
    let rows = owner.query(sql, &[&month, &now, &ignore_retention]).await.map_err(|error| {
        let reason = error.as_db_error().map(|raised| raised.message().to_owned());
        reason.map_or_else(|| Error::from(error), |reason| Error::new(Code::ValidationFailed, format!("{reason}.")))
    })?;
    rows.iter().map(|row| Ok((row.try_get("tenant_id")?, row.try_get("removed")?))).collect()
}

/// Deletes the entries that retention no longer keeps. Returns each affected tenant with the number of deleted entries.
pub async fn delete_expired(db: &Db, now: Time) -> Result<Vec<(TenantId, i64)>> {
    let rows = db.query_directory("select tenant_id, removed from audit_prune($1)", &[&now]).await?;
    rows.iter().map(|row| Ok((row.try_get("tenant_id")?, row.try_get("removed")?))).collect()
}
