//! SQL that counts the messages that did not reach the agent of a session.

use crate::{
    kernel::error::Result,
    platform::postgres::Tx,
    sessions::{change::SessionChange, status::Status},
};

/// How many messages of people the agent of a session that ends with this change did not receive: those that were never
/// handed to it, and, unless it completed the work, those that it did not acknowledge in a report.
pub async fn count_undelivered(tx: &mut Tx, change: &SessionChange) -> Result<i64> {
    let session = &change.session;
    let sql = "select (select count(*) from session_messages m
                       where m.tenant_id = $1 and m.session_id = $2 and m.delivered_at is null and not m.id = any($3))
                   + (select coalesce(sum(t.messages_sent - t.messages_acked), 0)::bigint from agent_tasks t
                      where t.tenant_id = $1 and t.session_id = $2 and t.run = $4 and not $5) as undelivered";
    let delivered = change.delivered_messages.as_slice();
    let is_completed = session.status == Status::Completed;
    let row =
        tx.query_opt(sql, &[&session.tenant_id, &session.id, &delivered, &session.run.number, &is_completed]).await?;
    row.map_or(Ok(0), |row| Ok(row.try_get("undelivered")?))
}
