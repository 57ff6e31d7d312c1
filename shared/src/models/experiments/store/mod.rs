//! SQL of experiments. Decides nothing.

mod figures;

use serde_json::Value;
use tokio_postgres::{
    Row,
    types::{Json, ToSql},
};

use crate::{
    kernel::{
        clock::Time,
        error::{Code, Error, Result},
        id::{ExperimentId, SessionId, TenantId},
        session_type::SessionType,
    },
    models::registry::{Alias, ResolvedModel},
    platform::postgres::{Db, OnConstraint, Tx},
};

pub use self::figures::read_tallies;
use super::{Arm, Experiment, ExperimentStatus};

/// The columns of an [`Experiment`] with its arms.
const SELECT: &str = "
    select e.id, e.name, e.description, e.target, e.session_type, e.salt, e.guardrails, e.status, e.stop_reason, e.winner,
           e.winner_at, e.promoted, e.version, e.created_by, e.created_at, e.started_at, e.stopped_at,
           (select jsonb_agg(jsonb_build_object('name', a.name, 'model', a.model, 'weight', a.weight, 'runs_on', a.runs_on,
                'stopped_at', a.stopped_at, 'stopped_why', a.stopped_why) order by a.position)
            from experiment_arms a where a.tenant_id = e.tenant_id and a.experiment_id = e.id) as arms
    from experiments e where e.tenant_id = $1";

/// The error for an id that is unknown or of another tenant.
#[track_caller]
pub fn not_found(id: ExperimentId) -> Error {
    Error::new(Code::ExperimentNotFound, format!("There is no experiment {id}."))
}

#[derive(serde::Deserialize)]
struct ArmRow {
    name: String,
    model: String,
    weight: i32,
    runs_on: Option<ResolvedModel>,
    stopped_at: Option<Time>,
    stopped_why: Option<String>,
}

impl TryFrom<ArmRow> for Arm {
    type Error = Error;

    fn try_from(row: ArmRow) -> Result<Self> {
        let ArmRow { name, model, weight, runs_on, stopped_at, stopped_why } = row;
        let name: Alias = name.parse().map_err(Error::internal)?;
        Ok(Self { name, model, weight, runs_on, stopped_at, stopped_why })
    }
}

fn read(row: &Row) -> Result<Experiment> {
    let Json(arms): Json<Vec<ArmRow>> = row.try_get("arms")?;
    let status: &str = row.try_get("status")?;
    let session_type: Option<&str> = row.try_get("session_type")?;
    Ok(Experiment {
        id: row.try_get("id")?,
        name: row.try_get::<_, &str>("name")?.parse().map_err(Error::internal)?,
        description: row.try_get("description")?,
        target: row.try_get("target")?,
        session_type: session_type.and_then(SessionType::parse),
        salt: row.try_get("salt")?,
        guardrails: row.try_get::<_, Json<_>>("guardrails")?.0,
        arms: arms.into_iter().map(Arm::try_from).collect::<Result<_>>()?,
        status: ExperimentStatus::parse(status).ok_or_else(|| Error::internal(format!("status holds {status}")))?,
        stop_reason: row.try_get("stop_reason")?,
        winner: row.try_get("winner")?,
        winner_at: row.try_get("winner_at")?,
        promoted: row.try_get::<_, Option<Json<_>>>("promoted")?.map(|json| json.0),
        version: row.try_get("version")?,
        created_by: row.try_get::<_, Json<_>>("created_by")?.0,
        created_at: row.try_get("created_at")?,
        started_at: row.try_get("started_at")?,
        stopped_at: row.try_get("stopped_at")?,
    })
}

/// Inserts an experiment with its arms.
pub async fn insert(tx: &mut Tx, tenant_id: TenantId, new: &Experiment) -> Result<()> {
    let sql =
        "insert into experiments (tenant_id, id, name, description, target, session_type, salt, guardrails, status,
                   created_by, created_at)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    let params: [&(dyn ToSql + Sync); 11] = [
        &tenant_id,
        &new.id,
        &new.name.as_str(),
        &new.description,
        &new.target,
        &new.session_type.map(SessionType::name),
        &new.salt,
        &Json(&new.guardrails),
        &new.status.name(),
        &Json(&new.created_by),
        &new.created_at,
    ];
    let taken = || Error::new(Code::AlreadyExists, format!("The tenant has an experiment {} already.", new.name));
    tx.query(sql, &params).await.on_constraint("experiments_name", taken)?;
    let names: Vec<_> = new.arms.iter().map(|arm| arm.name.as_str()).collect();
    let models: Vec<_> = new.arms.iter().map(|arm| arm.model.as_str()).collect();
    let weights: Vec<_> = new.arms.iter().map(|arm| arm.weight).collect();
    let sql = "insert into experiment_arms (tenant_id, experiment_id, name, position, model, weight)
               select $1, $2, a.name, a.position - 1, a.model, a.weight
               from unnest($3::text[], $4::text[], $5::integer[]) with ordinality as a(name, model, weight, position)";
    tx.query(sql, &[&tenant_id, &new.id, &names, &models, &weights]).await?;
    Ok(())
}

pub async fn find_experiment(db: &Db, tenant_id: TenantId, id: ExperimentId) -> Result<Experiment> {
    let rows = db.read(tenant_id, &format!("{SELECT} and e.id = $2"), &[&tenant_id, &id]).await?;
    rows.first().map(read).transpose()?.ok_or_else(|| not_found(id))
}

/// Reads and locks an experiment until the end of the transaction.
pub async fn lock_experiment(tx: &mut Tx, tenant_id: TenantId, id: ExperimentId) -> Result<Experiment> {
    let lock = "select id from experiments where tenant_id = $1 and id = $2 for no key update";
    if tx.query_opt(lock, &[&tenant_id, &id]).await?.is_none() {
        return Err(not_found(id));
    }
    let row = tx.query_opt(&format!("{SELECT} and e.id = $2"), &[&tenant_id, &id]).await?;
    row.as_ref().map(read).transpose()?.ok_or_else(|| not_found(id))
}

/// A page of experiments, newest first, created before `before`.
pub async fn list_page(
    db: &Db,
    tenant_id: TenantId,
    status: &[ExperimentStatus],
    before: Option<ExperimentId>,
    most: i64,
) -> Result<Vec<Experiment>> {
    let words: Vec<_> = status.iter().map(|status| status.name()).collect();
    let sql = format!(
        "{SELECT} and (cardinality($2::text[]) = 0 or e.status = any($2)) and ($3::uuid is null or e.id < $3)
         order by e.id desc limit $4"
    );
    db.read(tenant_id, &sql, &[&tenant_id, &words, &before, &most]).await?.iter().map(read).collect()
}

/// Saves an experiment that this transaction locked, with its arms.
pub async fn save_experiment(tx: &mut Tx, tenant_id: TenantId, experiment: &Experiment) -> Result<()> {
    let sql = "update experiments set status = $3, stop_reason = $4, winner = $5, winner_at = $6, promoted = $7, version = $8,
                   started_at = $9, stopped_at = $10
               where tenant_id = $1 and id = $2";
    let params: [&(dyn ToSql + Sync); 10] = [
        &tenant_id,
        &experiment.id,
        &experiment.status.name(),
        &experiment.stop_reason,
        &experiment.winner,
        &experiment.winner_at,
        &experiment.promoted.as_ref().map(Json),
        &experiment.version,
        &experiment.started_at,
        &experiment.stopped_at,
    ];
    let taken = || {
        let target = experiment.target.as_deref().unwrap_or_default();
        Error::new(Code::AlreadyExists, format!("Another experiment on {target} runs already."))
    };
    tx.query(sql, &params).await.on_constraint("experiments_target", taken)?;
    let arms: Vec<Value> = experiment.arms.iter().map(changing_fields).collect();
    let sql = "update experiment_arms a set runs_on = r.runs_on, stopped_at = r.stopped_at, stopped_why = r.stopped_why
               from jsonb_to_recordset($3::jsonb) as r(name text, runs_on jsonb, stopped_at timestamptz, stopped_why text)
               where a.tenant_id = $1 and a.experiment_id = $2 and a.name = r.name";
    tx.query(sql, &[&tenant_id, &experiment.id, &Value::Array(arms)]).await?;
    Ok(())
}

fn changing_fields(arm: &Arm) -> Value {
    serde_json::json!({
        "name": arm.name.as_str(), "runs_on": arm.runs_on, "stopped_at": arm.stopped_at, "stopped_why": arm.stopped_why,
    })
}

/// The running experiment of a session: the one with this name, or the one on its model.
pub async fn find_running(
    tx: &mut Tx,
    tenant_id: TenantId,
    (name, target): (Option<&str>, Option<&str>),
    session_type: SessionType,
) -> Result<Option<Experiment>> {
    let sql = format!(
        "{SELECT} and e.status = 'running'
           and (e.name = $2 or e.target = $3 and (e.session_type is null or e.session_type = $4))
         order by e.session_type nulls last limit 1"
    );
    let row = tx.query_opt(&sql, &[&tenant_id, &name, &target, &session_type.name()]).await?;
    row.as_ref().map(read).transpose()
}

/// Records the arm of a session.
pub async fn assign_arm(
    tx: &mut Tx,
    tenant_id: TenantId,
    experiment: ExperimentId,
    (session, root): (SessionId, SessionId),
    arm: &Alias,
    now: Time,
) -> Result<()> {
    let sql = "insert into experiment_assignments (tenant_id, experiment_id, session_id, root_id, arm, at)
               values ($1, $2, $3, $4, $5, $6)
               on conflict (tenant_id, experiment_id, session_id) do update set arm = excluded.arm";
    tx.query(sql, &[&tenant_id, &experiment, &session, &root, &arm.as_str(), &now]).await?;
    Ok(())
}

/// The running experiments of all tenants.
pub async fn all_running(db: &Db) -> Result<Vec<(TenantId, ExperimentId)>> {
    let rows = db.query_directory("select tenant_id, experiment_id from running_experiments()", &[]).await?;
    rows.iter().map(|row| Ok((row.try_get("tenant_id")?, row.try_get("experiment_id")?))).collect()
}
