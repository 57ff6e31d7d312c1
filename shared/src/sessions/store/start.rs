//! SQL of starts. A start is decided by the row as it was read without a lock, and written only if nobody has changed
//! the row since. So the lock of the tenant's queue is held within one round trip, and usually shared.

use serde::Deserialize;

use crate::{
    kernel::{
        error::{Error, Result},
        id::AgentId,
    },
    platform::postgres::{Db, Params, Tx, refused_with},
};

use super::{
    super::{
        admission::AdmissionSnapshot,
        change::SessionChange,
        session::{Session, SessionKey},
    },
    found::FoundSession,
    row,
    save::{Events, append_sql, save_parameters, saved_fields, update_sql, write_with},
    session_rows::SESSION_REFUSED,
    statement::{FIND, START, START_CANDIDATE, queue_limits_sql},
};

/// A session that is to be started, as it was read without a lock.
pub struct StartCandidate {
    pub session: Session,
    /// The agent of its configuration, else the only agent that could run it.
    pub agent_id: Option<AgentId>,
    /// The version of its row: another one after each change.
    pub revision: String,
}

/// Reads a session that is to be started.
pub async fn find_start_candidate(db: &Db, key: SessionKey) -> Result<StartCandidate> {
    let rows = db.find(key.tenant_id, &START_CANDIDATE, &[&key.tenant_id, &key.id]).await?;
    let row = rows.first().ok_or_else(|| Error::session_not_found(key.id))?;
    Ok(StartCandidate {
        session: row::session_of_row(row)?,
        agent_id: row.try_get("start_agent_id")?,
        revision: row.try_get("revision")?,
    })
}

/// What a start is written under.
pub struct StartCondition<'a> {
    /// The version of the row that was read.
    pub revision: &'a str,
    /// The transaction has the lock of the tenant's queue alone. Otherwise it shares it, and the start is refused near
    /// the tenant's limits.
    pub counts_exactly: bool,
}

/// Why a start was not written.
#[derive(Deserialize)]
pub struct StartRefusal {
    /// The counts of the tenant, without those of agents.
    #[serde(flatten)]
    pub counts: AdmissionSnapshot,
    /// Somebody has changed the session since it was read.
    pub is_outdated: bool,
}

/// Writes a start if the condition holds and the tenant's limits allow it, and reads the session with its computed
/// fields. Else the whole transaction fails with an error that [`parse_start_refusal`] understands.
pub async fn start_and_find(tx: Tx, change: &SessionChange, condition: &StartCondition<'_>) -> Result<FoundSession> {
    let session = &change.session;
    let values = saved_fields(session);
    let sql = START.get_or_init(|| start_sql(&values));
    let events = Events::of(&change.events);
    let mut params = save_parameters(&values, &events, change);
    params.extend([&condition.revision as &(dyn tokio_postgres::types::ToSql + Sync), &condition.counts_exactly]);
    let shown: Params<'_> = &[&change.now, &session.tenant_id, &session.id];
    let rows = Box::pin(write_with(tx, change, (sql, &params), Some((&FIND, shown)))).await?;
    rows.first().map(row::found_of_row).transpose()?.ok_or_else(|| Error::session_not_found(session.id))
}

/// The reason why [`start_and_find`] was refused, if this error is such a refusal. `None` within: the session is gone.
pub fn parse_start_refusal(error: &Error) -> Option<Result<Option<StartRefusal>>> {
    let detail = refused_with(error, SESSION_REFUSED)?;
    Some(serde_json::from_str(detail).map_err(Error::internal))
}

/// After the parameters of the row and the events come the revision and whether the counts are exact.
fn start_sql(values: &[row::Field<'_>]) -> String {
    let count = values.len();
    let (now, revision) = (format!("${}", count + 5), format!("${}::text", count + 6));
    let exactly = format!("${}::boolean", count + 7);
    let condition = format!(
        "s.tenant_id = $1 and s.id = $2 and s.xmin::text = {revision}
             and not (r.rejects and (r.running + r.queued + r.margin >= r.max_concurrent or r.out_of_tokens))
             and r.queued + r.margin < r.max_queued"
    );
    format!(
        "with snapshot as materialized ({limits}),
         changed as ({changed}),
         appended as ({appended})
         select reject_session((select to_jsonb(r) || jsonb_build_object('is_outdated', not exists (
                 select 1 from sessions s where s.tenant_id = $1 and s.id = $2 and s.xmin::text = {revision}))
             from snapshot r where exists (select 1 from sessions s where s.tenant_id = $1 and s.id = $2)))
         where not exists (select 1 from changed)",
        limits = queue_limits_sql("$1", &now, &exactly, "true"),
        changed = update_sql(values, "from snapshot r", &condition),
        appended = append_sql(count),
    )
}
