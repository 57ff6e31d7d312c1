//! SQL of the probes of agents' servers.

use crate::{
    kernel::{clock::Time, error::Result, id::AgentId},
    platform::postgres::Db,
};

use super::{AgentEndpoint, read_endpoint};

/// Claims the probe of an agent's server that is due, and sets the time of the next. `None`: another process probed it
/// a moment ago, or there is no such agent.
pub async fn claim_server_probe(db: &Db, id: AgentId, now: Time, next: Time) -> Result<Option<AgentEndpoint>> {
    let sql = "select * from claim_server_probe($1, $2, $3)";
    db.query_directory(sql, &[&id, &now, &next]).await?.first().map(read_endpoint).transpose()
}

/// Records the result of a probe. Returns whether the server was down before, and whether it is down now.
pub async fn record_server_probe(db: &Db, id: AgentId, answers: bool, now: Time) -> Result<(bool, bool)> {
    let sql = "select was_down, is_down from record_server_probe($1, $2, $3)";
    let rows = db.query_directory(sql, &[&id, &answers, &now]).await?;
    let Some(row) = rows.first() else { return Ok((false, false)) };
    Ok((row.try_get("was_down")?, row.try_get("is_down")?))
}

/// The agents whose server is down and whose probe was due before `before`.
pub async fn overdue_server_probes(db: &Db, before: Time, limit: i32) -> Result<Vec<AgentId>> {
    let sql = "select agent_id from overdue_server_probes($1, $2)";
    let rows = db.query_directory(sql, &[&before, &limit]).await?;
    rows.iter().map(|row| Ok(row.try_get("agent_id")?)).collect()
}
