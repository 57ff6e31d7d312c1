//! SQL of the audit log.

use serde::Serialize;
use tokio_postgres::{Row, types::ToSql};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    auth::Actor,
    clock::Time,
    db::{Db, Owned},
    error::Result,
    id::{AuditId, TenantId},
};

use super::Entry;

const APPEND: &str = "select audit_append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

/// What appends an entry to the chain of the transaction's tenant.
pub(crate) fn append(entry: Entry) -> Owned<'static> {
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
    Owned { sql: APPEND, values }
}

/// An entry as it stands in the log.
#[derive(Debug, Serialize, ToSchema)]
pub struct Recorded {
    /// Its number in the tenant's log, from 1 without gaps.
    pub seq: i64,
    pub id: Uuid,
    #[schema(value_type = String, format = DateTime)]
    pub at: Time,
    pub actor: Actor,
    /// What was done, such as `session.stop` or `api_key.revoke`.
    pub action: String,
    pub object_kind: String,
    pub object_id: String,
    /// The fields that were changed, as they were; secrets are masked.
    #[schema(value_type = Option<Object>)]
    pub before: Option<serde_json::Value>,
    #[schema(value_type = Option<Object>)]
    pub after: Option<serde_json::Value>,
    pub request_id: Option<String>,
    /// The network address that the call came from.
    pub address: Option<String>,
    /// SHA-256 over the hash of the entry before and this entry, in hex.
    pub hash: String,
}

impl Recorded {
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

/// Which entries are wanted; all that is given must hold.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub action: Option<Vec<String>>,
    pub object_kind: Option<String>,
    pub object_id: Option<String>,
    pub actor_id: Option<String>,
    pub since: Option<Time>,
    pub until: Option<Time>,
}

/// A page of the log, newest first, of entries older than `before`.
pub async fn list(
    db: &Db,
    tenant_id: TenantId,
    filter: &Filter,
    before: Option<i64>,
    most: i64,
) -> Result<Vec<Recorded>> {
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
    db.read(tenant_id, sql, &params).await?.iter().map(Recorded::read).collect()
}

/// A page of the log, oldest first, after `seq`: what an export reads.
pub async fn after(db: &Db, tenant_id: TenantId, seq: i64, most: i64) -> Result<Vec<Recorded>> {
    let sql = "select * from audit_entries where tenant_id = $1 and seq > $2 order by seq limit $3";
    db.read(tenant_id, sql, &[&tenant_id, &seq, &most]).await?.iter().map(Recorded::read).collect()
}

/// A place where the chain breaks.
#[derive(Debug, Serialize, ToSchema)]
pub struct Break {
    pub seq: i64,
    /// `changed`, `removed` or `inserted`.
    pub finding: String,
}

/// What a check of the whole chain found.
#[derive(Debug, Serialize, ToSchema)]
pub struct Verdict {
    /// Whether every entry is as it was written, none is missing, and none was put in.
    pub intact: bool,
    /// How many entries are kept.
    pub entries: i64,
    /// The number of the newest entry. With its hash, noted elsewhere, it proves later that nothing before it was changed.
    pub head_seq: i64,
    pub head_hash: String,
    /// The first of the places where the chain breaks, at most 100.
    pub breaks: Vec<Break>,
}

/// Checks the chain of a tenant.
pub async fn verify(db: &Db, tenant_id: TenantId) -> Result<Verdict> {
    let mut tx = db.tenant(tenant_id).await?;
    let count = "select count(*) as entries, coalesce((select seq from audit_heads where tenant_id = $1), 0) as seq,
                        (select hash from audit_heads where tenant_id = $1) as hash
                 from audit_entries where tenant_id = $1";
    let answers =
        tx.query_all(&[("select seq, finding from audit_verify() limit 100", &[]), (count, &[&tenant_id])]).await?;
    tx.commit().await?;
    let found = answers[0].iter().map(|row| Ok(Break { seq: row.try_get("seq")?, finding: row.try_get("finding")? }));
    let breaks = found.collect::<Result<Vec<_>>>()?;
    let row = &answers[1][0];
    Ok(Verdict {
        intact: breaks.is_empty(),
        entries: row.try_get("entries")?,
        head_seq: row.try_get("seq")?,
        head_hash: hex::encode(row.try_get::<_, Option<Vec<u8>>>("hash")?.unwrap_or_default()),
        breaks,
    })
}

/// Removes what retention no longer keeps; answers the tenants and how many entries each lost.
pub async fn prune(db: &Db, now: Time) -> Result<Vec<(TenantId, i64)>> {
    let rows = db.directory("select tenant_id, removed from audit_prune($1)", &[&now]).await?;
    rows.iter().map(|row| Ok((row.try_get("tenant_id")?, row.try_get("removed")?))).collect()
}
