//! SQL of tasks of external agents. Decides nothing. Agent and task may belong to different tenants: the requests of
//! agents go through functions of the directory, which check that the task is assigned to the agent.

use tokio_postgres::{
    Row,
    types::{Json, ToSql},
};

use crate::{
    agents::{contract::UserMessage, registry::Liveness},
    identity::auth::AgentCaller,
    kernel::{
        clock::Time,
        error::{Error, Result},
        id::{AgentId, ExternalTaskId, MessageId, RunnerId, SessionId, TenantId},
    },
    platform::postgres::{Db, Tx},
};

use super::{
    phase::RunPhase,
    registration::Heartbeat,
    report::{Progress, Report},
    result::StoredResult,
    task::{Task, TaskMessage},
};

/// Records a heartbeat. Returns the previous liveness, or `None` when there is no such agent.
pub async fn record_heartbeat(db: &Db, agent: AgentId, heartbeat: &Heartbeat, now: Time) -> Result<Option<Liveness>> {
    let sql = "select previous_liveness from record_agent_heartbeat($1, $2, $3, $4, $5, $6)";
    let metrics = Json(&heartbeat.metrics);
    let rows = db
        .query_directory(sql, &[&agent, &now, &heartbeat.status.name(), &heartbeat.load, &heartbeat.tasks, &metrics])
        .await?;
    let was = rows.first().map(|row| row.try_get::<_, String>("previous_liveness")).transpose()?;
    Ok(was.and_then(|word| Liveness::parse(&word)))
}

/// The tenant and session of a task, and the state of its lease.
pub struct TaskOwner {
    pub tenant_id: TenantId,
    pub session_id: SessionId,
    pub leased: bool,
    pub lease_token: i64,
    pub result_hash: Option<Vec<u8>>,
    /// The runner that holds the lease.
    pub runner_id: Option<RunnerId>,
}

impl TaskOwner {
    /// Whether the caller holds the lease: the agent itself, or the runner that claimed the task.
    pub fn is_leased_by(&self, agent: &AgentCaller) -> bool {
        self.leased && self.runner_id == agent.runner_id()
    }
}

pub async fn find_owner(db: &Db, agent: AgentId, task: ExternalTaskId) -> Result<Option<TaskOwner>> {
    let sql = "select tenant_id, session_id, status, lease_token, result_hash, runner_id from find_leased_task($1, $2)";
    let rows = db.query_directory(sql, &[&agent, &task]).await?;
    let held = rows.first().map(|row| {
        Ok::<_, Error>(TaskOwner {
            tenant_id: row.try_get("tenant_id")?,
            session_id: row.try_get("session_id")?,
            leased: row.try_get::<_, &str>("status")? == "leased",
            lease_token: row.try_get("lease_token")?,
            result_hash: row.try_get("result_hash")?,
            runner_id: row.try_get("runner_id")?,
        })
    });
    held.transpose()
}

/// The key of a task.
#[derive(Clone, Copy, Debug)]
pub struct TaskKey {
    pub tenant_id: TenantId,
    pub task_id: ExternalTaskId,
}

/// A task, with the agent that reports on it.
#[derive(Clone, Copy, Debug)]
pub struct AgentTask {
    pub agent_id: AgentId,
    /// The runner that reports as the agent.
    pub runner_id: Option<RunnerId>,
    pub task_id: ExternalTaskId,
}

/// The outcome of a report or a result.
pub enum ReportOutcome<T> {
    Accepted(TenantId, SessionId, T),
    /// The same was accepted before.
    Duplicate,
    /// A different one was accepted before.
    Conflict,
    LeaseLost,
    UnknownTask,
}

/// The answer to a report.
pub struct ReportReceipt {
    pub cancel: bool,
    /// Whether the report has news for the session.
    pub has_news: bool,
    pub messages: Vec<TaskMessage>,
}

pub async fn record_progress(
    db: &Db,
    key: AgentTask,
    report: &Progress,
    now: Time,
    until: Time,
) -> Result<ReportOutcome<ReportReceipt>> {
    let sql = "select * from record_task_progress($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    let report_json = report.report.as_ref().map(Json);
    let phase = report.phase.map(RunPhase::name);
    let params: [&(dyn ToSql + Sync); 12] = [
        &key.agent_id,
        &key.task_id,
        &report.lease_token,
        &now,
        &until,
        &report.seq,
        &report_json,
        &report.tokens,
        &report.cost_micros,
        &report.received,
        &key.runner_id,
        &phase,
    ];
    let rows = db.query_directory(sql, &params).await?;
    read_outcome(&rows, |row| {
        let Json(messages) = row.try_get("messages")?;
        Ok(ReportReceipt { cancel: row.try_get("cancelled")?, has_news: row.try_get("changed")?, messages })
    })
}

/// A result to store.
pub struct NewStoredResult<'a> {
    pub lease_token: Option<i64>,
    pub hash: &'a [u8],
    pub kept: &'a StoredResult,
    pub tokens: i64,
    pub cost_micros: i64,
}

/// Stores a result, in a transaction that sees the tenant of the task.
pub async fn record_result(
    tx: &mut Tx,
    key: AgentTask,
    new: &NewStoredResult<'_>,
    now: Time,
) -> Result<ReportOutcome<()>> {
    let sql = "select * from record_task_result($1, $2, $3, $4, $5, $6, $7, $8)";
    let kept = Json(new.kept);
    let params: [&(dyn ToSql + Sync); 8] =
        [&key.agent_id, &key.task_id, &new.lease_token, &now, &new.hash, &kept, &new.tokens, &new.cost_micros];
    read_outcome(&tx.query(sql, &params).await?, |_| Ok(()))
}

fn read_outcome<T>(rows: &[Row], read: impl FnOnce(&Row) -> Result<T>) -> Result<ReportOutcome<T>> {
    let row = rows.first().ok_or_else(|| Error::internal("the directory did not answer"))?;
    Ok(match row.try_get("outcome")? {
        "taken" => ReportOutcome::Accepted(row.try_get("tenant_id")?, row.try_get("session_id")?, read(row)?),
        "again" => ReportOutcome::Duplicate,
        "other" => ReportOutcome::Conflict,
        "lost" => ReportOutcome::LeaseLost,
        _ => ReportOutcome::UnknownTask,
    })
}

/// Marks the agents that were silent for too long, in one statement. Returns them with their new liveness.
pub async fn mark_silent_agents(db: &Db, suspect: Time, offline: Time, now: Time) -> Result<Vec<(AgentId, String)>> {
    let rows = db.query_directory("select * from mark_silent_agents($1, $2, $3)", &[&suspect, &offline, &now]).await?;
    rows.iter().map(|row| Ok((row.try_get("agent_id")?, row.try_get("liveness")?))).collect()
}

/// Agents that are offline and still have tasks.
pub async fn lost_agents(db: &Db) -> Result<Vec<AgentId>> {
    let rows = db.query_directory("select agent_id from offline_agents_with_tasks()", &[]).await?;
    rows.iter().map(|row| row.try_get("agent_id").map_err(Error::from)).collect()
}

/// Revokes all tasks of an agent that is still offline. Returns their tenants and sessions.
pub async fn revoke_agent_tasks(db: &Db, agent: AgentId, now: Time) -> Result<Vec<(TenantId, SessionId)>> {
    let rows = db.query_directory("select * from revoke_agent_tasks($1, $2)", &[&agent, &now]).await?;
    rows.iter().map(|row| Ok((row.try_get("tenant_id")?, row.try_get("session_id")?))).collect()
}

/// A task to insert.
pub struct NewTask<'a> {
    pub tenant_id: TenantId,
    pub run: i32,
    pub agent_id: AgentId,
    /// For a push: when its lease ends.
    pub pushed_until: Option<Time>,
    pub task: &'a Task,
}

/// Gives a new task the prompts that the agent of the task before it did not acknowledge. An answer belongs to a
/// question of the task before.
const CARRY_MESSAGES_OVER: &str = "
    with before as (
        select t.id, t.messages_acked from agent_tasks t
        where t.tenant_id = $1 and t.session_id = $2 and t.run < $3 order by t.run desc limit 1
    ), unread as (
        select m.id, m.message, m.at, row_number() over (order by m.number)::integer as number
        from agent_task_messages m join before b on b.id = m.task_id
        where m.tenant_id = $1 and m.number > b.messages_acked and m.message ->> 'kind' = 'text'
          and exists (select 1 from agent_tasks t where t.tenant_id = $1 and t.id = $4 and t.messages_sent = 0)
    ), carried as (
        insert into agent_task_messages (tenant_id, task_id, number, id, message, at)
        select $1, $4, number, id, message, at from unread returning 1
    )
    update agent_tasks t set messages_sent = (select count(*) from carried)
    where t.tenant_id = $1 and t.id = $4 and exists (select 1 from carried)";

/// Inserts a task, once. Tasks of earlier runs of the session are marked as lost, and what their agents did not read
/// goes to the new one.
pub async fn insert_task(db: &Db, new: &NewTask<'_>, now: Time) -> Result<()> {
    let (delivery, status) = if new.pushed_until.is_some() { ("push", "leased") } else { ("pull", "waiting") };
    let token = i64::from(new.pushed_until.is_some());
    let earlier = "update agent_tasks set status = 'lost', updated_at = $4
                   where tenant_id = $1 and session_id = $2 and run < $3 and status in ('waiting', 'leased')";
    let task =
        "insert into agent_tasks (tenant_id, id, session_id, run, agent_id, delivery, status, assignment, lease_token,
                    lease_until, created_at, updated_at)
                values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)
                on conflict (tenant_id, id) do nothing";
    let params: &[&(dyn ToSql + Sync)] = &[
        &new.tenant_id,
        &new.task.task_id,
        &new.task.session_id,
        &new.run,
        &new.agent_id,
        &delivery,
        &status,
        &Json(new.task),
        &token,
        &new.pushed_until,
        &now,
    ];
    let of_task: &[&(dyn ToSql + Sync)] = &[&new.tenant_id, &new.task.session_id, &new.run, &new.task.task_id];
    let tx = db.tenant(new.tenant_id).await?;
    let before: &[&(dyn ToSql + Sync)] = &[&new.tenant_id, &new.task.session_id, &new.run, &now];
    tx.finish_all(&[(earlier, before), (task, params), (CARRY_MESSAGES_OVER, of_task)]).await?;
    Ok(())
}

/// The summary of the parent session.
pub async fn parent_summary(db: &Db, tenant_id: TenantId, session: SessionId) -> Result<Option<String>> {
    let sql = "select c.summary from sessions s
               join session_checkpoints c on c.tenant_id = s.tenant_id and c.session_id = s.parent_id and c.summary <> ''
               where s.tenant_id = $1 and s.id = $2 order by c.sequence desc limit 1";
    let rows = db.read(tenant_id, sql, &[&tenant_id, &session]).await?;
    rows.first().map(|row| row.try_get("summary").map_err(Error::from)).transpose()
}

/// The state of a task.
#[derive(Clone, Debug)]
pub struct TaskState {
    pub task: Task,
    pub status: String,
    pub cancel: bool,
    /// Whether a runner has it, whose agent stops when the task is cancelled.
    pub is_of_runner: bool,
    pub pushed: bool,
    pub lease_token: i64,
    /// How often the agent itself asked for the lease anew; these grants do not count towards the limit.
    pub reissues: i32,
    pub lease_until: Option<Time>,
    pub tokens: i64,
    pub cost_micros: i64,
    pub result: Option<StoredResult>,
}

/// A task, its reports after a position, and its oldest open question.
#[derive(Clone, Debug)]
pub struct TaskSnapshot {
    pub state: TaskState,
    /// Each with its position, ordered by lease and number.
    pub reports: Vec<(i64, Report)>,
    pub last_position: i64,
    /// The oldest report with an open question.
    pub open_question: Option<Report>,
}

pub async fn find_task(db: &Db, tenant_id: TenantId, task: ExternalTaskId, after: i64) -> Result<Option<TaskSnapshot>> {
    let sql = "select t.assignment, t.status, t.cancel_requested, t.runner_id is not null as of_runner, t.pushed_at is not null as pushed,
                   t.lease_token, t.reissues, t.lease_until, t.tokens, t.cost_micros, t.result, t.reports_received,
                   (select coalesce(jsonb_agg(jsonb_build_array(r.position, r.report) order by r.lease_token, r.seq), '[]') from agent_task_reports r
                    where r.tenant_id = t.tenant_id and r.task_id = t.id and r.position > $3) as reports,
                   (select r.report from agent_task_reports r
                    where r.tenant_id = t.tenant_id and r.task_id = t.id and r.report ? 'question' and not exists (
                        select 1 from agent_task_messages m where m.tenant_id = t.tenant_id and m.task_id = t.id
                          and m.message #>> '{answer,question_id}' = r.report #>> '{question,question_id}') order by r.lease_token, r.seq limit 1) as asks
               from agent_tasks t where t.tenant_id = $1 and t.id = $2";
    let rows = db.read(tenant_id, sql, &[&tenant_id, &task, &after]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let Json(reports) = row.try_get("reports")?;
    let asks = row.try_get::<_, Option<Json<Report>>>("asks")?.map(|Json(report)| report);
    Ok(Some(TaskSnapshot {
        state: read_task_state(row)?,
        reports,
        last_position: row.try_get("reports_received")?,
        open_question: asks,
    }))
}

fn read_task_state(row: &Row) -> Result<TaskState> {
    let Json(task) = row.try_get("assignment")?;
    Ok(TaskState {
        task,
        status: row.try_get("status")?,
        cancel: row.try_get("cancel_requested")?,
        is_of_runner: row.try_get("of_runner")?,
        pushed: row.try_get("pushed")?,
        lease_token: row.try_get("lease_token")?,
        reissues: row.try_get("reissues")?,
        lease_until: row.try_get("lease_until")?,
        tokens: row.try_get("tokens")?,
        cost_micros: row.try_get("cost_micros")?,
        result: row.try_get::<_, Option<Json<StoredResult>>>("result")?.map(|Json(kept)| kept),
    })
}

/// A change that the runtime makes to a task.
#[derive(Clone, Copy, Debug)]
pub enum TaskChange {
    /// Cancels it. A task that nobody claimed ends at once.
    Cancel,
    /// Closes it, whatever the agent still does.
    Close,
    /// Marks it as lost: it was leased or pushed too often.
    GiveUp,
    /// The agent accepted the push.
    Pushed,
    /// Renews the lease for another push.
    PushAgain(Time),
}

pub async fn change_task(
    db: &Db,
    TaskKey { tenant_id, task_id: task }: TaskKey,
    change: TaskChange,
    now: Time,
) -> Result<Option<RunnerId>> {
    let (set, until) = match change {
        TaskChange::Cancel => {
            ("cancel_requested = true, status = case when status = 'waiting' then 'closed' else status end", now)
        }
        TaskChange::Close => ("status = 'closed', cancel_requested = true", now),
        TaskChange::GiveUp => ("status = case when status in ('waiting', 'leased') then 'lost' else status end", now),
        TaskChange::Pushed => ("pushed_at = $3", now),
        TaskChange::PushAgain(until) => {
            ("lease_token = lease_token + 1, lease_until = $4, pushed_at = null, messages_acked = 0", until)
        }
    };
    let sql = format!(
        "update agent_tasks set {set}, updated_at = $3 where tenant_id = $1 and id = $2 and $4::timestamptz is not null
         returning case when status = 'leased' then runner_id end as runner_id"
    );
    let rows = db.tenant(tenant_id).await?.query_and_commit(&sql, &[&tenant_id, &task, &now, &until]).await?;
    Ok(rows.first().map(|row| row.try_get("runner_id")).transpose()?.flatten())
}

/// Appends a message to the agent, once. Returns it with its number, and the runner that works on the task.
pub async fn append_message(
    db: &Db,
    TaskKey { tenant_id, task_id: task }: TaskKey,
    id: MessageId,
    message: &UserMessage,
    now: Time,
) -> Result<Option<(TaskMessage, Option<RunnerId>)>> {
    let sql = "with next as (
                   update agent_tasks t set messages_sent = t.messages_sent + 1, updated_at = $5
                   where t.tenant_id = $1 and t.id = $2
                     and not exists (select 1 from agent_task_messages m where m.tenant_id = $1 and m.task_id = $2 and m.id = $3)
                   returning t.messages_sent, case when t.status = 'leased' then t.runner_id end as runner_id),
               new as (
                   insert into agent_task_messages (tenant_id, task_id, number, id, message, at)
                   select $1, $2, next.messages_sent, $3, $4, $5 from next returning number)
               select new.number, next.runner_id from new, next union all
               select m.number, null from agent_task_messages m where m.tenant_id = $1 and m.task_id = $2 and m.id = $3";
    let tx = db.tenant(tenant_id).await?;
    let rows = tx.query_and_commit(sql, &[&tenant_id, &task, &id, &Json(message), &now]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some((TaskMessage { number: row.try_get("number")?, said: message.clone() }, row.try_get("runner_id")?)))
}

/// Makes the next observation of sessions due now, if they are offered or their agent works. The due time always
/// changes, so that a step in progress notices the request.
pub async fn make_sessions_due(db: &Db, tenant_id: TenantId, sessions: &[SessionId], now: Time) -> Result<()> {
    let sql = "update sessions set next_step_at = least(next_step_at, $3) - interval '1 microsecond'
               where tenant_id = $1 and id = any($2)
                 and (offered_until is not null or handover is null and (holds_slot(status) or pause_question is not null))";
    db.tenant(tenant_id).await?.query_and_commit(sql, &[&tenant_id, &sessions, &now]).await?;
    Ok(())
}
