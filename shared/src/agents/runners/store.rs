//! SQL of runners. Decides nothing.

use std::collections::BTreeMap;

use serde_json::Value;
use tokio_postgres::{
    Row,
    types::{Json, ToSql},
};

use crate::{
    agents::eap::server::phase::PhaseTimes,
    kernel::{
        actor::Actor,
        clock::Time,
        error::{Error, Result},
        id::{AgentId, RunnerId, TenantId},
    },
    platform::postgres::{Db, Tx},
};

use super::{HeldTask, Isolation, Runner, RunnerDetails, RunnerState, registration::RunnerRegistration};

const COLUMNS: &str =
    "r.id, r.pool, r.name, r.version, r.os, r.arch, r.labels, r.slots, r.isolation, r.isolation_reason, r.programs,
    r.protocol_version, r.drain_requested, r.state, r.jobs, r.last_seen_at, r.created_by, r.created_at";

/// Selects the runners that fulfil a condition on `runners r`, with the slots that are in use and the agents of their
/// pools.
fn select_runners(condition: &str, rest: &str) -> String {
    format!(
        "with r as materialized (select r.tenant_id, {COLUMNS} from runners r where {condition} {rest})
         select r.*, coalesce(b.in_use, 0) as busy,
             (select coalesce(jsonb_object_agg(a.program, a.id), '{{}}') from agents a
              where a.tenant_id = r.tenant_id and a.pool = r.pool and a.state <> 'deregistered') as agents
         from r left join runner_slots_in_use(array(select id from r)) b on b.runner_id = r.id {rest}"
    )
}

/// A filter on runners. An empty list, and `None`, mean no condition.
#[derive(Clone, Debug, Default)]
pub struct RunnerFilter {
    pub state: Vec<RunnerState>,
    pub pool: Option<String>,
}

/// A page of the runners of a tenant, newest first, created before `before`.
pub(super) async fn find_page(
    db: &Db,
    tenant_id: TenantId,
    filter: &RunnerFilter,
    before: Option<RunnerId>,
    most: i64,
) -> Result<Vec<RunnerDetails>> {
    let condition = "r.tenant_id = $1 and r.removed_at is null and ($2::uuid is null or r.id < $2)
        and (cardinality($3::text[]) = 0 or r.state = any($3)) and ($4::text is null or r.pool = $4)";
    let states: Vec<_> = filter.state.iter().map(|state| state.name()).collect();
    let sql = select_runners(condition, "order by r.id desc limit $5");
    let params: [&(dyn ToSql + Sync); 5] = [&tenant_id, &before, &states, &filter.pool, &most];
    db.read(tenant_id, &sql, &params).await?.iter().map(read_details).collect()
}

pub(super) async fn find(db: &Db, tenant_id: TenantId, id: RunnerId) -> Result<Option<RunnerDetails>> {
    let sql = select_runners("r.tenant_id = $1 and r.id = $2 and r.removed_at is null", "");
    db.read(tenant_id, &sql, &[&tenant_id, &id]).await?.first().map(read_details).transpose()
}

/// As [`find`], within a transaction of the runner's tenant.
pub(super) async fn find_in(tx: &mut Tx, id: RunnerId) -> Result<Option<RunnerDetails>> {
    let sql = select_runners("r.tenant_id = app_tenant_id() and r.id = $1 and r.removed_at is null", "");
    tx.query_opt(&sql, &[&id]).await?.as_ref().map(read_details).transpose()
}

/// The tasks of the tenant's own sessions that a runner holds, oldest first.
pub(super) async fn held_tasks(db: &Db, tenant_id: TenantId, id: RunnerId) -> Result<Vec<HeldTask>> {
    let sql = "select t.id as task_id, t.session_id, s.title, t.agent_id, t.lease_until, t.phases
               from agent_tasks t join sessions s on s.tenant_id = t.tenant_id and s.id = t.session_id
               where t.tenant_id = $1 and t.runner_id = $2 and t.status = 'leased' order by t.created_at, t.id";
    let read = |row: &Row| {
        let Json(phases): Json<PhaseTimes> = row.try_get("phases")?;
        Ok(HeldTask {
            task_id: row.try_get("task_id")?,
            session_id: row.try_get("session_id")?,
            session_title: row.try_get("title")?,
            agent_id: row.try_get("agent_id")?,
            lease_until: row.try_get("lease_until")?,
            phases,
        })
    };
    db.read(tenant_id, sql, &[&tenant_id, &id]).await?.iter().map(read).collect()
}

fn read_details(row: &Row) -> Result<RunnerDetails> {
    let Json(agents) = row.try_get("agents")?;
    Ok(RunnerDetails { runner: read(row)?, busy: row.try_get("busy")?, agents })
}

fn read(row: &Row) -> Result<Runner> {
    let Json(labels): Json<BTreeMap<String, String>> = row.try_get("labels")?;
    let (Json(programs), Json(jobs)) = (row.try_get("programs")?, row.try_get("jobs")?);
    let Json(created_by) = row.try_get("created_by")?;
    Ok(Runner {
        id: row.try_get("id")?,
        pool: row.try_get("pool")?,
        name: row.try_get("name")?,
        version: row.try_get("version")?,
        os: row.try_get("os")?,
        arch: row.try_get("arch")?,
        labels,
        slots: row.try_get("slots")?,
        isolation: parse_word(row, "isolation", Isolation::parse)?,
        isolation_reason: row.try_get("isolation_reason")?,
        programs,
        protocol_version: row.try_get("protocol_version")?,
        drain_requested: row.try_get("drain_requested")?,
        state: parse_word(row, "state", RunnerState::parse)?,
        jobs,
        last_seen_at: row.try_get("last_seen_at")?,
        created_by,
        created_at: row.try_get("created_at")?,
    })
}

fn parse_word<T>(row: &Row, column: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T> {
    let text: &str = row.try_get(column)?;
    parse(text).ok_or_else(|| Error::internal(format!("the column {column} holds {text:?}")))
}

/// The runner of a pool by its name, and whether it is offline. Locked until the end of the transaction.
pub(super) async fn lock_by_name(tx: &mut Tx, pool: &str, name: &str) -> Result<Option<(RunnerId, bool)>> {
    let sql = "select r.id, r.is_offline from runners r
               where r.tenant_id = app_tenant_id() and r.pool = $1 and r.name = $2 and r.removed_at is null for update";
    let row = tx.query_opt(sql, &[&pool, &name]).await?;
    row.map(|row| Ok((row.try_get("id")?, row.try_get("is_offline")?))).transpose()
}

/// How many runners of the tenant were not removed.
pub(super) async fn count_runners(tx: &mut Tx) -> Result<i64> {
    let sql = "select count(*) as runners from runners r where r.tenant_id = app_tenant_id() and r.removed_at is null";
    let row = tx.query_opt(sql, &[]).await?;
    row.map_or(Ok(0), |row| row.try_get("runners").map_err(Error::from))
}

/// Inserts a runner that registers now.
pub(super) async fn insert(
    tx: &mut Tx,
    (id, pool): (RunnerId, &str),
    new: &RunnerRegistration,
    created_by: &Actor,
    now: Time,
) -> Result<()> {
    let sql =
        "insert into runners (tenant_id, id, pool, name, version, os, arch, labels, slots, isolation, isolation_reason,
                   programs, protocol_version, last_seen_at, created_by, created_at, updated_at)
               values (app_tenant_id(), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $13, $13)";
    let params: [&(dyn ToSql + Sync); 14] = [
        &id,
        &pool,
        &new.name,
        &new.version,
        &new.os,
        &new.arch,
        &Json(&new.labels),
        &new.slots,
        &new.isolation.name(),
        &new.isolation_reason,
        &Json(&new.programs),
        &new.protocol_version,
        &now,
        &Json(created_by),
    ];
    tx.query(sql, &params).await?;
    Ok(())
}

/// Updates what a runner says of itself when it registers again. It has begun anew, so it is active unless a lead
/// drains it.
pub(super) async fn update(tx: &mut Tx, id: RunnerId, new: &RunnerRegistration, now: Time) -> Result<()> {
    let sql = "update runners r
               set version = $2, os = $3, arch = $4, labels = $5, slots = $6, isolation = $7, isolation_reason = $8,
                   programs = $9, protocol_version = $10, last_seen_at = $11, updated_at = $11, is_offline = false,
                   reports_draining = false, resume_requested = false, jobs = '[]'
               where r.tenant_id = app_tenant_id() and r.id = $1 and r.removed_at is null";
    let params: [&(dyn ToSql + Sync); 11] = [
        &id,
        &new.version,
        &new.os,
        &new.arch,
        &Json(&new.labels),
        &new.slots,
        &new.isolation.name(),
        &new.isolation_reason,
        &Json(&new.programs),
        &new.protocol_version,
        &now,
    ];
    tx.query(sql, &params).await?;
    Ok(())
}

/// Sets whether a lead drains a runner. A runner that already drains is to be active again when that ends.
pub(super) async fn set_drain(tx: &mut Tx, id: RunnerId, drain: bool, now: Time) -> Result<()> {
    let sql = "update runners r
               set drain_requested = $2, resume_requested = not $2 and r.reports_draining, updated_at = $3
               where r.tenant_id = app_tenant_id() and r.id = $1 and r.removed_at is null";
    tx.query(sql, &[&id, &drain, &now]).await?;
    Ok(())
}

/// Marks a runner as removed: its credentials are refused from the commit on.
pub(super) async fn remove(tx: &mut Tx, id: RunnerId, now: Time) -> Result<()> {
    let sql = "update runners r set removed_at = $2, is_offline = true, jobs = '[]', updated_at = $2
               where r.tenant_id = app_tenant_id() and r.id = $1";
    tx.query(sql, &[&id, &now]).await?;
    Ok(())
}

/// Brings the agents of a pool up to its runners.
pub(super) async fn refresh_pool(tx: &mut Tx, tenant_id: TenantId, pool: &str, now: Time) -> Result<()> {
    tx.query("select refresh_runner_pool($1, $2, $3)", &[&tenant_id, &pool, &now]).await?;
    Ok(())
}

/// What a heartbeat changed.
pub(super) struct HeartbeatOutcome {
    pub(super) previous_state: RunnerState,
    pub(super) state: RunnerState,
    pub(super) drain: bool,
    pub(super) resume: bool,
    /// The agents of its pool whose programs it offers.
    pub(super) agents: Vec<AgentId>,
}

/// Records a heartbeat; `None` if there is no such runner.
pub(super) async fn record_heartbeat(
    db: &Db,
    id: RunnerId,
    (now, quiet_before): (Time, Time),
    state: RunnerState,
    jobs: &Value,
) -> Result<Option<HeartbeatOutcome>> {
    let sql = "select * from record_runner_heartbeat($1, $2, $3, $4, $5)";
    let rows = db.query_directory(sql, &[&id, &now, &quiet_before, &state.name(), &jobs]).await?;
    let read = |row: &Row| {
        Ok(HeartbeatOutcome {
            previous_state: parse_word(row, "previous_state", RunnerState::parse)?,
            state: parse_word(row, "state", RunnerState::parse)?,
            drain: row.try_get("drain")?,
            resume: row.try_get("resume")?,
            agents: row.try_get("agents")?,
        })
    };
    rows.first().map(read).transpose()
}

/// Marks the runners that were silent since `before` as offline. Returns them.
pub(super) async fn mark_silent(db: &Db, before: Time, now: Time) -> Result<Vec<(RunnerId, String)>> {
    let rows = db.query_directory("select * from mark_silent_runners($1, $2)", &[&before, &now]).await?;
    rows.iter().map(|row| Ok((row.try_get("runner_id")?, row.try_get("runner_name")?))).collect()
}

/// Deletes what is only history.
pub(super) async fn delete_outdated(db: &Db, before: Time) -> Result<()> {
    db.query_directory("select delete_outdated_runners($1)", &[&before]).await?;
    Ok(())
}
