//! SQL of the results of an agent, as far as a tenant may see them.

use tokio_postgres::{Row, types::ToSql};
use uuid::Uuid;

use crate::{
    kernel::{
        clock::Time,
        error::Result,
        id::{AgentId, SessionId, TenantId},
    },
    platform::postgres::Db,
};

/// The outcome of one run.
#[derive(Clone, Debug)]
pub struct RunOutcome {
    /// The id of the result, as page cursor.
    pub id: Uuid,
    /// Only for the tenant's own sessions.
    pub session: Option<(SessionId, i32)>,
    /// The success: 1, 0.5 for partial success, or 0.
    pub success: f64,
    pub quality: Option<f64>,
    pub duration_ms: i64,
    pub cost_micros: i64,
    pub tokens: i64,
    pub error_code: Option<String>,
    pub capabilities: Vec<String>,
    pub at: Time,
}

fn read_outcome(row: &Row) -> Result<RunOutcome> {
    let session: (Option<SessionId>, Option<i32>) = (row.try_get("session_id")?, row.try_get("run")?);
    Ok(RunOutcome {
        id: row.try_get("id")?,
        session: session.0.zip(session.1),
        success: f64::from(row.try_get::<_, f32>("success")?),
        quality: row.try_get::<_, Option<f32>>("quality")?.map(f64::from),
        duration_ms: row.try_get("duration_ms")?,
        cost_micros: row.try_get("cost_micros")?,
        tokens: row.try_get("tokens")?,
        error_code: row.try_get("error_code")?,
        capabilities: row.try_get("capabilities")?,
        at: row.try_get("at")?,
    })
}

/// The cursor of a page of results.
pub type OutcomeCursor = (Time, Uuid);

/// A page of results that the tenant may see, newest first.
pub async fn list_outcomes(
    db: &Db,
    tenant_id: TenantId,
    id: AgentId,
    since: Option<Time>,
    after: Option<OutcomeCursor>,
    most: i64,
) -> Result<Vec<RunOutcome>> {
    let (at, last) = after.unzip();
    let params: [&(dyn ToSql + Sync); 5] = [&id, &since, &at, &last, &most];
    let sql = "select * from visible_agent_results($1, $2, $3, $4, $5) order by at desc, id desc";
    db.read(tenant_id, sql, &params).await?.iter().map(read_outcome).collect()
}

/// Statistics of results.
#[derive(Clone, Debug)]
pub struct StatsByCapability {
    /// `None` = over all results.
    pub capability: Option<String>,
    pub finished: i64,
    pub succeeded: f64,
    pub quality: Option<f64>,
    pub mean_ms: f64,
    pub p50_ms: f64,
    pub p95_ms: f64,
    pub cost_micros: f64,
}

/// Statistics of the results that the tenant may see: over all results, then per capability. Empty when there are none.
pub async fn stats_by_capability(
    db: &Db,
    tenant_id: TenantId,
    id: AgentId,
    since: Option<Time>,
) -> Result<Vec<StatsByCapability>> {
    let sql = "select * from agent_result_statistics($1, $2) order by capability nulls first";
    let read = |row: &Row| {
        Ok(StatsByCapability {
            capability: row.try_get("capability")?,
            finished: row.try_get("finished")?,
            succeeded: row.try_get("succeeded")?,
            quality: row.try_get("quality")?,
            mean_ms: row.try_get("mean_ms")?,
            p50_ms: row.try_get("p50_ms")?,
            p95_ms: row.try_get("p95_ms")?,
            cost_micros: row.try_get("cost_micros")?,
        })
    };
    db.read(tenant_id, sql, &[&id, &since]).await?.iter().map(read).collect()
}
