//! SQL of pending file removals: deleted sessions whose files are still in the object store.

use crate::{
    kernel::{
        clock::Time,
        error::Result,
        id::{SessionId, TenantId},
    },
    platform::postgres::{Db, Tx},
};

use super::super::session::SessionKey;

/// Schedules the removal of a session's files. The caller deletes the session in the same transaction. A session that
/// never began has none.
pub async fn schedule_file_removal(tx: &mut Tx, tenant_id: TenantId, id: SessionId, now: Time) -> Result<()> {
    let sql = "insert into file_removals (tenant_id, session_id, requested_at)
               select s.tenant_id, s.id, $3 from sessions s
               where s.tenant_id = $1 and s.id = $2 and s.started_at is not null
               on conflict do nothing";
    tx.query(sql, &[&tenant_id, &id, &now]).await?;
    Ok(())
}

/// The oldest removals of all tenants.
pub async fn due_file_removals(db: &Db, most: i32) -> Result<Vec<SessionKey>> {
    let rows = db.query_directory("select tenant_id, session_id from due_file_removals($1)", &[&most]).await?;
    rows.iter().map(|row| Ok(SessionKey::new(row.try_get("tenant_id")?, row.try_get("session_id")?))).collect()
}

/// Deletes a removal that is done.
pub async fn delete_file_removal(db: &Db, key: SessionKey) -> Result<()> {
    let sql = "delete from file_removals where tenant_id = $1 and session_id = $2";
    db.read(key.tenant_id, sql, &[&key.tenant_id, &key.id]).await?;
    Ok(())
}
