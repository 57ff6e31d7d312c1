//! SQL of claims: leasing tasks to agents, taking back what is not claimed, and calls of agents as signs of life.

use tokio_postgres::types::{Json, ToSql};

use crate::{
    kernel::{
        clock::Time,
        error::{Error, Result},
        id::{AgentId, ExternalTaskId, RunnerId, TenantId},
    },
    platform::postgres::Db,
};

use super::{
    store::TaskKey,
    task::{Lease, LeasedTask, Task},
};

/// A claim: which agent, how many tasks, and until when the leases last.
pub struct Claim<'a> {
    /// The tasks that the agent holds already, whose leases it asks for anew.
    pub held: &'a [ExternalTaskId],
    /// The agent asks for the leases of all tasks that it holds.
    pub reclaims: bool,
    pub agent: AgentId,
    /// The runner that asks as the agent; `None` for an agent with a token of its own.
    pub runner: Option<RunnerId>,
    pub now: Time,
    pub until: Time,
    pub max_tasks: i32,
    pub max_grants: i32,
}

/// Leases tasks to an agent, oldest first. Each comes with the tenant of its session.
pub async fn claim_tasks(db: &Db, claim: &Claim<'_>) -> Result<Vec<(TenantId, LeasedTask)>> {
    let sql = "select tenant_id, assignment, lease_token
               from lease_agent_tasks($1, $2, $3, $4, $5, $6, $7, $8) order by created_at";
    let params: [&(dyn ToSql + Sync); 8] = [
        &claim.agent,
        &claim.now,
        &claim.until,
        &claim.max_tasks,
        &claim.max_grants,
        &claim.held,
        &claim.reclaims,
        &claim.runner,
    ];
    let rows = db.query_directory(sql, &params).await?;
    let leased = rows.iter().map(|row| {
        let Json(task): Json<Task> = row.try_get("assignment")?;
        let lease = Lease { token: row.try_get("lease_token")?, expires_at: claim.until };
        Ok((row.try_get("tenant_id")?, LeasedTask { task, lease }))
    });
    leased.collect()
}

/// Records that an agent let an offer pass. Returns whether that counts against it.
pub async fn record_ignored_offer(db: &Db, agent: AgentId, now: Time) -> Result<bool> {
    let rows = db.query_directory("select record_ignored_offer($1, $2) as counts", &[&agent, &now]).await?;
    rows.first().map_or(Ok(false), |row| row.try_get("counts").map_err(Error::from))
}

/// Records a call of an agent as a sign of life. Returns whether the agent may get work again since.
pub async fn record_call(db: &Db, agent: AgentId, now: Time, quiet_before: Time, claims: bool) -> Result<bool> {
    let sql = "select record_agent_call($1, $2, $3, $4) as is_back";
    let rows = db.query_directory(sql, &[&agent, &now, &quiet_before, &claims]).await?;
    rows.first().map_or(Ok(false), |row| row.try_get("is_back").map_err(Error::from))
}

/// Records a call of a runner as a sign of life of itself and of the agent that it works as. Returns whether agents of
/// its pool may get work again since.
pub async fn record_runner_call(
    db: &Db,
    (runner, agent): (RunnerId, AgentId),
    now: Time,
    quiet_before: Time,
    claims: bool,
) -> Result<bool> {
    let sql = "select record_runner_call($1, $2, $3, $4, $5) as is_back";
    let rows = db.query_directory(sql, &[&runner, &agent, &now, &quiet_before, &claims]).await?;
    rows.first().map_or(Ok(false), |row| row.try_get("is_back").map_err(Error::from))
}

/// Takes back a task that waits to be claimed, or claimed anew. False: it was claimed. The withdrawal is one statement,
/// so that exactly one of it and a claim has the task.
pub async fn withdraw_task(db: &Db, TaskKey { tenant_id, task_id }: TaskKey, now: Time) -> Result<bool> {
    let taken_back = "update agent_tasks set status = 'lost', updated_at = $3
                      where tenant_id = $1 and id = $2 and (status = 'waiting' or status = 'leased' and lease_until <= $3)";
    let status = "select status in ('leased', 'done') as claimed from agent_tasks where tenant_id = $1 and id = $2";
    let tx = db.tenant(tenant_id).await?;
    let answers =
        tx.finish_all(&[(taken_back, &[&tenant_id, &task_id, &now]), (status, &[&tenant_id, &task_id])]).await?;
    let claimed = answers.last().and_then(|rows| rows.first()).map(|row| row.try_get::<_, bool>("claimed"));
    Ok(!claimed.transpose()?.unwrap_or(false))
}
