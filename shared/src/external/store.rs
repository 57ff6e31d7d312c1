//! SQL of tasks of external agents. Decides nothing. The agent may be another tenant's than the task: what the agent
//! sends goes through the directory's functions, which look whether the task is its own.

use tokio_postgres::{
    Row,
    types::{Json, ToSql},
};

use crate::{
    agent::Liveness,
    clock::Time,
    db::{Db, Tx},
    error::{Error, Result},
    id::{AgentId, ExternalTaskId, MessageId, SessionId, TenantId},
    runtime::Said,
};

use super::{
    registration::Beat,
    report::{Progress, Report},
    result::Kept,
    task::{Lease, Leased, Message, Task},
};

/// Takes a heartbeat in; how the agent stood before, `None` when there is no such agent.
pub async fn beat(db: &Db, agent: AgentId, beat: &Beat, now: Time) -> Result<Option<Liveness>> {
    let sql = "select was from external_heartbeat($1, $2, $3, $4, $5, $6)";
    let metrics = Json(&beat.metrics);
    let rows = db.directory(sql, &[&agent, &now, &beat.status.name(), &beat.load, &beat.tasks, &metrics]).await?;
    let was = rows.first().map(|row| row.try_get::<_, String>("was")).transpose()?;
    Ok(was.and_then(|word| Liveness::parse(&word)))
}

/// How long an agent may have, and how many tasks.
pub struct Claim {
    pub agent: AgentId,
    pub now: Time,
    pub until: Time,
    pub most: i32,
    pub most_grants: i32,
}

/// Leases tasks to an agent, oldest first.
pub async fn claim(db: &Db, claim: &Claim) -> Result<Vec<Leased>> {
    let sql = "select assignment, lease_token from external_claim($1, $2, $3, $4, $5) order by created_at";
    let rows = db.directory(sql, &[&claim.agent, &claim.now, &claim.until, &claim.most, &claim.most_grants]).await?;
    let leased = rows.iter().map(|row| {
        let Json(task): Json<Task> = row.try_get("assignment")?;
        Ok(Leased { task, lease: Lease { token: row.try_get("lease_token")?, expires_at: claim.until } })
    });
    leased.collect()
}

/// Whose a task of an agent is, and how it stands.
pub struct Held {
    pub tenant_id: TenantId,
    pub session_id: SessionId,
    pub leased: bool,
    pub lease_token: i64,
    pub result_hash: Option<Vec<u8>>,
}

pub async fn held(db: &Db, agent: AgentId, task: ExternalTaskId) -> Result<Option<Held>> {
    let sql = "select tenant_id, session_id, status, lease_token, result_hash from external_task($1, $2)";
    let rows = db.directory(sql, &[&agent, &task]).await?;
    let held = rows.first().map(|row| {
        Ok::<_, Error>(Held {
            tenant_id: row.try_get("tenant_id")?,
            session_id: row.try_get("session_id")?,
            leased: row.try_get::<_, &str>("status")? == "leased",
            lease_token: row.try_get("lease_token")?,
            result_hash: row.try_get("result_hash")?,
        })
    });
    held.transpose()
}

/// What became of something that an agent sent of a task.
pub enum Taken<T> {
    Taken(TenantId, SessionId, T),
    /// The same was taken before.
    Again,
    /// Another was taken before.
    Other,
    Lost,
    Unknown,
}

/// What a report is answered with.
pub struct Answered {
    pub cancel: bool,
    /// Whether something is to be told of it.
    pub news: bool,
    pub messages: Vec<Message>,
}

pub async fn progress(
    db: &Db,
    (agent, task): (AgentId, ExternalTaskId),
    report: &Progress,
    now: Time,
    until: Time,
) -> Result<Taken<Answered>> {
    let sql = "select * from external_progress($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let told = report.report.as_ref().map(Json);
    let params: [&(dyn ToSql + Sync); 10] = [
        &agent,
        &task,
        &report.lease_token,
        &now,
        &until,
        &report.seq,
        &told,
        &report.tokens,
        &report.cost_micros,
        &report.received,
    ];
    let rows = db.directory(sql, &params).await?;
    taken(&rows, |row| {
        let Json(messages) = row.try_get("messages")?;
        Ok(Answered { cancel: row.try_get("cancelled")?, news: row.try_get("news")?, messages })
    })
}

/// A result to be kept.
pub struct NewKept<'a> {
    pub lease_token: Option<i64>,
    pub hash: &'a [u8],
    pub kept: &'a Kept,
    pub tokens: i64,
    pub cost_micros: i64,
}

/// Keeps a result, in a transaction that sees the tenant of the task.
pub async fn result(
    tx: &mut Tx,
    (agent, task): (AgentId, ExternalTaskId),
    new: &NewKept<'_>,
    now: Time,
) -> Result<Taken<()>> {
    let sql = "select * from external_result($1, $2, $3, $4, $5, $6, $7, $8)";
    let kept = Json(new.kept);
    let params: [&(dyn ToSql + Sync); 8] =
        [&agent, &task, &new.lease_token, &now, &new.hash, &kept, &new.tokens, &new.cost_micros];
    taken(&tx.query(sql, &params).await?, |_| Ok(()))
}

fn taken<T>(rows: &[Row], read: impl FnOnce(&Row) -> Result<T>) -> Result<Taken<T>> {
    let row = rows.first().ok_or_else(|| Error::internal("the directory did not answer"))?;
    Ok(match row.try_get("outcome")? {
        "taken" => Taken::Taken(row.try_get("tenant_id")?, row.try_get("session_id")?, read(row)?),
        "again" => Taken::Again,
        "other" => Taken::Other,
        "lost" => Taken::Lost,
        _ => Taken::Unknown,
    })
}

/// Marks those agents that were silent for too long, in one statement; answers them and how they stand now.
pub async fn silent(db: &Db, suspect: Time, offline: Time, now: Time) -> Result<Vec<(AgentId, String)>> {
    let rows = db.directory("select * from external_silent($1, $2, $3)", &[&suspect, &offline, &now]).await?;
    rows.iter().map(|row| Ok((row.try_get("agent_id")?, row.try_get("liveness")?))).collect()
}

/// Agents that are offline and have work.
pub async fn lost_agents(db: &Db) -> Result<Vec<AgentId>> {
    let rows = db.directory("select agent_id from external_lost_agents()", &[]).await?;
    rows.iter().map(|row| row.try_get("agent_id").map_err(Error::from)).collect()
}

/// Takes all work from an agent, if it is offline still; answers whose it was.
pub async fn take_away(db: &Db, agent: AgentId, now: Time) -> Result<Vec<(TenantId, SessionId)>> {
    let rows = db.directory("select * from external_take_away($1, $2)", &[&agent, &now]).await?;
    rows.iter().map(|row| Ok((row.try_get("tenant_id")?, row.try_get("session_id")?))).collect()
}

/// A task to be written.
pub struct NewTask<'a> {
    pub tenant_id: TenantId,
    pub run: i32,
    pub agent_id: AgentId,
    /// A push is leased from the beginning, until then.
    pub pushed_until: Option<Time>,
    pub task: &'a Task,
}

/// Writes a task, once; what the agent had of earlier runs of the session is its no more.
pub async fn insert(db: &Db, new: &NewTask<'_>, now: Time) -> Result<()> {
    let (delivery, status) = if new.pushed_until.is_some() { ("push", "leased") } else { ("pull", "waiting") };
    let token = i64::from(new.pushed_until.is_some());
    let earlier = "update external_tasks set status = 'lost', updated_at = $4
                   where tenant_id = $1 and session_id = $2 and run < $3 and status in ('waiting', 'leased')";
    let task = "insert into external_tasks (tenant_id, id, session_id, run, agent_id, delivery, status, assignment, lease_token,
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
    let tx = db.tenant(new.tenant_id).await?;
    tx.finish_all(&[(earlier, &[&new.tenant_id, &new.task.session_id, &new.run, &now]), (task, params)]).await?;
    Ok(())
}

/// What the session above a session came to.
pub async fn parent_summary(db: &Db, tenant_id: TenantId, session: SessionId) -> Result<Option<String>> {
    let sql = "select c.summary from sessions s
               join session_checkpoints c on c.tenant_id = s.tenant_id and c.session_id = s.parent_id and c.summary <> ''
               where s.tenant_id = $1 and s.id = $2 order by c.sequence desc limit 1";
    let rows = db.read(tenant_id, sql, &[&tenant_id, &session]).await?;
    rows.first().map(|row| row.try_get("summary").map_err(Error::from)).transpose()
}

/// How a task stands.
#[derive(Clone, Debug)]
pub struct Standing {
    pub task: Task,
    pub status: String,
    pub cancel: bool,
    pub pushed: bool,
    pub lease_token: i64,
    pub lease_until: Option<Time>,
    pub tokens: i64,
    pub cost_micros: i64,
    pub result: Option<Kept>,
}

/// A task, the reports after a position, and all its questions with whether they were answered.
#[derive(Clone, Debug)]
pub struct Seen {
    pub standing: Standing,
    /// Each with its position, in the order of leases and numbers.
    pub reports: Vec<(i64, Report)>,
    pub told: i64,
    /// The oldest report with a question that was not answered yet.
    pub asks: Option<Report>,
}

pub async fn seen(db: &Db, tenant_id: TenantId, task: ExternalTaskId, after: i64) -> Result<Option<Seen>> {
    let sql = "select t.assignment, t.status, t.cancel, t.pushed_at is not null as pushed, t.lease_token, t.lease_until, t.tokens,
                   t.cost_micros, t.result, t.reports,
                   (select coalesce(jsonb_agg(jsonb_build_array(r.position, r.report) order by r.lease_token, r.seq), '[]') from external_reports r
                    where r.tenant_id = t.tenant_id and r.task_id = t.id and r.position > $3) as news,
                   (select r.report from external_reports r
                    where r.tenant_id = t.tenant_id and r.task_id = t.id and r.report ? 'question' and not exists (
                        select 1 from external_messages m where m.tenant_id = t.tenant_id and m.task_id = t.id
                          and m.said #>> '{answer,question_id}' = r.report #>> '{question,question_id}')
                    order by r.lease_token, r.seq limit 1) as asks
               from external_tasks t where t.tenant_id = $1 and t.id = $2";
    let rows = db.read(tenant_id, sql, &[&tenant_id, &task, &after]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let Json(reports) = row.try_get("news")?;
    let asks = row.try_get::<_, Option<Json<Report>>>("asks")?.map(|Json(report)| report);
    Ok(Some(Seen { standing: standing(row)?, reports, told: row.try_get("reports")?, asks }))
}

fn standing(row: &Row) -> Result<Standing> {
    let Json(task) = row.try_get("assignment")?;
    Ok(Standing {
        task,
        status: row.try_get("status")?,
        cancel: row.try_get("cancel")?,
        pushed: row.try_get("pushed")?,
        lease_token: row.try_get("lease_token")?,
        lease_until: row.try_get("lease_until")?,
        tokens: row.try_get("tokens")?,
        cost_micros: row.try_get("cost_micros")?,
        result: row.try_get::<_, Option<Json<Kept>>>("result")?.map(|Json(kept)| kept),
    })
}

/// What is changed of a task by those who gave it away.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    /// It is to end; what nobody has yet ends here.
    Cancel,
    /// It is over for us, whatever the agent does.
    Close,
    /// It was leased or pushed too often.
    GiveUp,
    /// The agent took the push.
    Pushed,
    /// It is pushed once more, under a new lease until then.
    PushAgain(Time),
}

pub async fn change(db: &Db, tenant_id: TenantId, task: ExternalTaskId, change: Change, now: Time) -> Result<()> {
    let (set, until) = match change {
        Change::Cancel => ("cancel = true, status = case when status = 'waiting' then 'closed' else status end", now),
        Change::Close => ("status = 'closed', cancel = true", now),
        Change::GiveUp => ("status = case when status in ('waiting', 'leased') then 'lost' else status end", now),
        Change::Pushed => ("pushed_at = $3", now),
        Change::PushAgain(until) => {
            ("lease_token = lease_token + 1, lease_until = $4, pushed_at = null, heard = 0", until)
        }
    };
    let sql = format!(
        "update external_tasks set {set}, updated_at = $3 where tenant_id = $1 and id = $2 and $4::timestamptz is not null"
    );
    db.tenant(tenant_id).await?.finish(&sql, &[&tenant_id, &task, &now, &until]).await?;
    Ok(())
}

/// Keeps something that was said to the agent, once; answers its number.
pub async fn say(
    db: &Db,
    (tenant_id, task): (TenantId, ExternalTaskId),
    id: MessageId,
    said: &Said,
    now: Time,
) -> Result<Option<Message>> {
    let sql = "with next as (
                   update external_tasks t set said = t.said + 1, updated_at = $5
                   where t.tenant_id = $1 and t.id = $2
                     and not exists (select 1 from external_messages m where m.tenant_id = $1 and m.task_id = $2 and m.id = $3)
                   returning t.said),
               new as (
                   insert into external_messages (tenant_id, task_id, number, id, said, at)
                   select $1, $2, next.said, $3, $4, $5 from next returning number)
               select number from new
               union all select m.number from external_messages m where m.tenant_id = $1 and m.task_id = $2 and m.id = $3";
    let tx = db.tenant(tenant_id).await?;
    let rows = tx.finish(sql, &[&tenant_id, &task, &id, &Json(said), &now]).await?;
    let number = rows.first().map(|row| row.try_get("number")).transpose()?;
    Ok(number.map(|number| Message { number, said: said.clone() }))
}

/// Makes the next look at sessions due now, where their agent is at work. Always another time than the one there was, so
/// that a step under way sees that somebody asked meanwhile.
pub async fn make_due(db: &Db, tenant_id: TenantId, sessions: &[SessionId], now: Time) -> Result<()> {
    let sql = "update sessions set next_step_at = least(next_step_at, $3) - interval '1 microsecond'
               where tenant_id = $1 and id = any($2) and status in ('running', 'degraded') and handover is null";
    db.tenant(tenant_id).await?.finish(sql, &[&tenant_id, &sessions, &now]).await?;
    Ok(())
}
