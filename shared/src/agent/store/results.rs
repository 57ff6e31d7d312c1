//! SQL of what came of an agent's work, as far as a tenant may see it.

use tokio_postgres::{Row, types::ToSql};
use uuid::Uuid;

use crate::{
    clock::Time,
    db::Db,
    error::Result,
    id::{AgentId, SessionId, TenantId},
};

/// What came of one run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Of the result, for pages to go on from.
    pub id: Uuid,
    /// Of the tenant's own sessions alone.
    pub session: Option<(SessionId, i32)>,
    /// 1, 0.5 when part of the work stands, 0.
    pub success: f64,
    pub quality: Option<f64>,
    pub duration_ms: i64,
    pub cost_micros: i64,
    pub tokens: i64,
    pub error_code: Option<String>,
    pub capabilities: Vec<String>,
    pub at: Time,
}

fn outcome(row: &Row) -> Result<Outcome> {
    let session: (Option<SessionId>, Option<i32>) = (row.try_get("session_id")?, row.try_get("run")?);
    Ok(Outcome {
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

/// Where a page of results goes on: after this one, which came at that time.
pub type After = (Time, Uuid);

/// A page of results that the tenant may see, newest first.
pub async fn outcomes(
    db: &Db,
    tenant_id: TenantId,
    id: AgentId,
    since: Option<Time>,
    after: Option<After>,
    most: i64,
) -> Result<Vec<Outcome>> {
    let (at, last) = after.unzip();
    let params: [&(dyn ToSql + Sync); 5] = [&id, &since, &at, &last, &most];
    let sql = "select * from agent_results_seen($1, $2, $3, $4, $5) order by at desc, id desc";
    db.read(tenant_id, sql, &params).await?.iter().map(outcome).collect()
}

/// Results in figures.
#[derive(Clone, Debug)]
pub struct InFigures {
    /// `None` = of all results.
    pub capability: Option<String>,
    pub finished: i64,
    pub succeeded: f64,
    pub quality: Option<f64>,
    pub mean_ms: f64,
    pub p50_ms: f64,
    pub p95_ms: f64,
    pub cost_micros: f64,
}

/// The results that the tenant may see in figures: of all, then of each capability. None when there are no results.
pub async fn in_figures(db: &Db, tenant_id: TenantId, id: AgentId, since: Option<Time>) -> Result<Vec<InFigures>> {
    let sql = "select * from agent_results_in_figures($1, $2) order by capability nulls first";
    let read = |row: &Row| {
        Ok(InFigures {
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
