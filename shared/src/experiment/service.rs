//! The use cases of experiments. Whoever changes one holds its row.

use serde_json::{Value, json};

use crate::{
    app::App,
    audit::{By, Entry},
    auth::{Actor, Caller},
    clock::Time,
    db::Tx,
    error::{Code, Error, Refusals, Result},
    id::{ExperimentId, TenantId},
    model::{self, Alias, Name, ResolvedModel, Version},
};

use super::{
    Arm, Experiment, Promoted, Status,
    draft::{Draft, reference},
    store,
    verdict::{Known, Verdict},
};

/// Makes an experiment, not started yet.
pub async fn create(app: &App, caller: &Caller, draft: Draft) -> Result<Experiment> {
    let arm = |arm: super::draft::ArmDraft| Arm {
        name: arm.name,
        model: arm.model,
        weight: arm.weight,
        runs_on: None,
        stopped_at: None,
        stopped_why: None,
    };
    let experiment = Experiment {
        id: ExperimentId::new(),
        name: draft.name,
        description: draft.description,
        target: draft.target.map(|target| target.to_string()),
        session_type: draft.session_type,
        salt: hex::encode(rand::random::<[u8; 16]>()),
        guardrails: draft.guardrails,
        arms: draft.arms.into_iter().map(arm).collect(),
        status: Status::Draft,
        stop_reason: None,
        winner: None,
        winner_at: None,
        promoted: None,
        version: 1,
        created_by: caller.actor(),
        created_at: app.clock.now(),
        started_at: None,
        stopped_at: None,
    };
    let mut tx = app.db.tenant(caller.tenant_id).await?;
    found_arms(&mut tx, caller.tenant_id, &experiment).await?;
    store::insert(&mut tx, caller.tenant_id, &experiment).await?;
    let arms: Vec<_> = experiment.arms.iter().map(|arm| json!([arm.name.as_str(), arm.model, arm.weight])).collect();
    let after = json!({"name": experiment.name.as_str(), "target": experiment.target, "arms": arms});
    tx.audit(Entry::new(caller, experiment.created_at, "experiment.create", experiment.id).after(after));
    tx.commit().await?;
    Ok(experiment)
}

/// What the arms lead to now; refuses what leads to nothing, and a target that does.
async fn found_arms(tx: &mut Tx, tenant_id: TenantId, experiment: &Experiment) -> Result<Vec<ResolvedModel>> {
    let mut refused = Refusals::default();
    let mut found = Vec::with_capacity(experiment.arms.len());
    if let Some(target) = experiment.target.as_deref().and_then(reference)
        && let Err(failure) = model::store::resolve(tx, tenant_id, &target).await?.found(&target)
    {
        refused.add("target", failure.message);
    }
    for (at, arm) in experiment.arms.iter().enumerate() {
        let Some(reference) = reference(&arm.model) else {
            found.push(ResolvedModel { model_identifier: arm.model.clone(), ..ResolvedModel::default() });
            continue;
        };
        match model::store::resolve(tx, tenant_id, &reference).await?.found(&reference) {
            Ok(resolved) => found.push(resolved),
            Err(failure) => refused.add(format!("arms[{at}].model"), failure.message),
        }
    }
    refused.finish()?;
    Ok(found)
}

pub async fn get(app: &App, caller: &Caller, id: ExperimentId) -> Result<Experiment> {
    store::find(&app.db, caller.tenant_id, id).await
}

/// A page of experiments, newest first.
pub async fn list(
    app: &App,
    caller: &Caller,
    status: &[Status],
    before: Option<ExperimentId>,
    most: i64,
) -> Result<Vec<Experiment>> {
    store::page(&app.db, caller.tenant_id, status, before, most).await
}

/// Starts a draft: pins what its arms lead to, and takes sessions from now on.
pub async fn start(app: &App, caller: &Caller, id: ExperimentId) -> Result<Experiment> {
    let mut tx = app.db.tenant(caller.tenant_id).await?;
    let mut experiment = store::lock(&mut tx, caller.tenant_id, id).await?;
    must_be(&experiment, Status::Draft, "started")?;
    let found = found_arms(&mut tx, caller.tenant_id, &experiment).await?;
    for (arm, runs_on) in experiment.arms.iter_mut().zip(found) {
        arm.runs_on = Some(runs_on);
    }
    let now = app.clock.now();
    (experiment.status, experiment.started_at) = (Status::Running, Some(now));
    let pinned = experiment.arms.iter().map(|arm| json!([arm.name.as_str(), arm.runs_on])).collect::<Vec<_>>();
    save(tx, caller.tenant_id, &mut experiment, vec![entry(caller, now, "start", id, json!({"arms": pinned}))]).await?;
    Ok(experiment)
}

/// Stops what runs; sessions that are under way end as they would.
pub async fn stop(app: &App, caller: &Caller, id: ExperimentId, reason: Option<String>) -> Result<Experiment> {
    let mut tx = app.db.tenant(caller.tenant_id).await?;
    let mut experiment = store::lock(&mut tx, caller.tenant_id, id).await?;
    must_be(&experiment, Status::Running, "stopped")?;
    let now = app.clock.now();
    end(&mut experiment, now, reason.unwrap_or_else(|| "stop".to_owned()));
    let told = json!({"reason": experiment.stop_reason});
    save(tx, caller.tenant_id, &mut experiment, vec![entry(caller, now, "stop", id, told)]).await?;
    Ok(experiment)
}

/// Points an alias at the version that an arm runs on, and stops the experiment if it still runs.
pub async fn promote(app: &App, caller: &Caller, id: ExperimentId, arm: &Alias, alias: &Alias) -> Result<Experiment> {
    let mut tx = app.db.tenant(caller.tenant_id).await?;
    let mut experiment = store::lock(&mut tx, caller.tenant_id, id).await?;
    if experiment.status == Status::Draft {
        return Err(refuse(&experiment, "An experiment that was never started has no arm to promote."));
    }
    let (name, version) = promoted(&experiment, arm)?;
    let now = app.clock.now();
    let to = (&name, alias, &version);
    model::service::point_in(&mut tx, caller.tenant_id, caller.into(), now, to).await?;
    if experiment.status == Status::Running {
        end(&mut experiment, now, format!("{arm} was promoted"));
    }
    let promoted = Promoted {
        arm: arm.to_string(),
        model: name.to_string(),
        version: version.to_string(),
        alias: alias.to_string(),
    };
    let told = json!({"promoted": promoted, "winner": experiment.winner});
    experiment.promoted = Some(promoted);
    save(tx, caller.tenant_id, &mut experiment, vec![entry(caller, now, "promote", id, told)]).await?;
    app.tell_tenant(caller.tenant_id).await;
    Ok(experiment)
}

/// The version that an arm runs on.
fn promoted(experiment: &Experiment, arm: &Alias) -> Result<(Name, Version)> {
    let found = experiment.arms.iter().find(|one| one.name == *arm);
    let found = found.ok_or_else(|| Error::field("arm", format!("the experiment has no arm {arm}")))?;
    let version = found.runs_on.as_ref().and_then(|on| Some((on.name.as_ref()?, on.version.as_ref()?)));
    let (name, version) = version.ok_or_else(|| {
        Error::field(
            "arm",
            format!("{arm} runs on {}, which is no version of the registry: register it first", found.model),
        )
    })?;
    Ok((name.parse().map_err(Error::internal)?, version.parse().map_err(Error::internal)?))
}

/// What is known of an experiment, and what follows from it.
pub async fn results(app: &App, caller: &Caller, id: ExperimentId) -> Result<(Experiment, Known, Verdict)> {
    let experiment = store::find(&app.db, caller.tenant_id, id).await?;
    let mut tx = app.db.tenant(caller.tenant_id).await?;
    let known = store::known(&mut tx, caller.tenant_id, id).await?;
    tx.commit().await?;
    let verdict = Verdict::of(&experiment, &known);
    Ok((experiment, known, verdict))
}

/// Looks at all experiments that run. What fails is told to the log and found again by the next look.
pub async fn look_at_all(app: &App) -> Result<()> {
    for (tenant_id, id) in store::all_running(&app.db).await? {
        if let Err(error) = look(app, tenant_id, id).await {
            tracing::warn!(?error, experiment.id = %id, "an experiment could not be looked at; the next sweep will");
        }
    }
    Ok(())
}

/// Looks at an experiment: stops the arms that break a guardrail, and writes down the first winner.
async fn look(app: &App, tenant_id: TenantId, id: ExperimentId) -> Result<()> {
    let mut tx = app.db.tenant(tenant_id).await?;
    let mut experiment = store::lock(&mut tx, tenant_id, id).await?;
    if experiment.status != Status::Running {
        return tx.commit().await;
    }
    let verdict = Verdict::of(&experiment, &store::known(&mut tx, tenant_id, id).await?);
    let entries = conclude(&mut experiment, verdict, app.clock.now());
    if entries.is_empty() {
        return tx.commit().await;
    }
    save(tx, tenant_id, &mut experiment, entries).await
}

/// Carries out what follows from a look, and says what was done.
fn conclude(experiment: &mut Experiment, verdict: Verdict, now: Time) -> Vec<Entry> {
    let (id, mut entries) = (experiment.id, Vec::new());
    let by_itself = |verb: &str, told: Value| entry(Actor::system("experiments"), now, verb, id, told);
    if let Some(winner) = verdict.winner.filter(|_| experiment.winner.is_none()) {
        entries.push(by_itself("call_winner", json!({"winner": winner})));
        (experiment.winner, experiment.winner_at) = (Some(winner), Some(now));
    }
    for (name, why) in verdict.broken {
        if let Some(arm) = experiment.arms.iter_mut().find(|arm| arm.name.as_str() == name) {
            entries.push(by_itself("stop_arm", json!({"arm": name, "why": why})));
            (arm.stopped_at, arm.stopped_why) = (Some(now), Some(why));
        }
    }
    if experiment.arms.iter().all(|arm| !arm.is_active()) {
        end(experiment, now, "every arm broke a guardrail".to_owned());
        entries.push(by_itself("stop", json!({"reason": experiment.stop_reason})));
    }
    entries
}

fn end(experiment: &mut Experiment, now: Time, reason: String) {
    experiment.status = Status::Stopped;
    experiment.stopped_at = Some(now);
    experiment.stop_reason = Some(reason);
}

fn entry(by: impl Into<By>, now: Time, verb: &str, id: ExperimentId, told: Value) -> Entry {
    Entry::new(by, now, format!("experiment.{verb}"), id).after(told)
}

async fn save(mut tx: Tx, tenant_id: TenantId, experiment: &mut Experiment, entries: Vec<Entry>) -> Result<()> {
    experiment.version += 1;
    for entry in entries {
        tx.audit(entry);
    }
    store::save(&mut tx, tenant_id, experiment).await?;
    tx.commit().await
}

fn must_be(experiment: &Experiment, status: Status, verb: &str) -> Result<()> {
    if experiment.status == status {
        return Ok(());
    }
    Err(refuse(experiment, &format!("A {} experiment cannot be {verb}.", experiment.status.name())))
}

#[track_caller]
fn refuse(experiment: &Experiment, detail: &str) -> Error {
    let allowed: &[Status] = match experiment.status {
        Status::Draft => &[Status::Running],
        Status::Running => &[Status::Stopped],
        Status::Stopped => &[],
    };
    let current = json!({"status": experiment.status, "allowed_transitions": allowed, "version": experiment.version});
    Error::new(Code::InvalidTransition, detail).with_current(current)
}
