//! SQL that counts the messages that did not reach the agent of a session.

use crate::{
    kernel::error::Result,
    platform::postgres::Tx,
    sessions::{change::SessionChange, status::Status},
};

/// How many messages of people the agent of a session that ends with this change did not receive: those that were never
/// handed to it, and those of its newest task that it did not acknowledge in a report. An agent that completed the work
/// may have read what came before its result, in the answer to its last report.
pub async fn count_undelivered(tx: &mut Tx, change: &SessionChange) -> Result<i64> {
    let session = &change.session;
    let sql = "select (select count(*) from session_messages m
                       where m.tenant_id = $1 and m.session_id = $2 and m.delivered_at is null and not m.id = any($3))
                   + (select coalesce(sum(greatest(t.messages_sent - case when $4 then
                          greatest(t.messages_acked, coalesce(t.messages_at_result, t.messages_sent))
                          else t.messages_acked end, 0)), 0)::bigint
                      from (select * from agent_tasks t where t.tenant_id = $1 and t.session_id = $2
                            order by t.run desc limit 1) t) as undelivered";
    let delivered = change.delivered_messages.as_slice();
    let is_completed = session.status == Status::Completed;
    let row = tx.query_opt(sql, &[&session.tenant_id, &session.id, &delivered, &is_completed]).await?;
    row.map_or(Ok(0), |row| Ok(row.try_get("undelivered")?))
}
