//! The use cases of experiments. Every change locks the row of the experiment.

use serde_json::{Value, json};

use crate::{
    identity::{
        audit::{self, AuditEntry},
        auth::Caller,
    },
    kernel::{
        actor::{Actor, By},
        clock::Time,
        error::{Code, Error, Result, ValidationErrors},
        id::{ExperimentId, TenantId},
    },
    models::registry::{self, Alias, Name, ResolvedModel, Version},
    platform::context::Context,
    platform::postgres::Tx,
};

use super::{
    Arm, Experiment, ExperimentStatus, PromotedArm,
    draft::{ExperimentDraft, parse_reference},
    store,
    verdict::{ArmTallies, ArmVerdict},
};

/// Creates a draft experiment.
pub async fn create(context: &Context, caller: &Caller, draft: ExperimentDraft) -> Result<Experiment> {
    let experiment = new_experiment(caller, draft, context.clock.now());
    let mut tx = context.db.tenant(caller.tenant_id).await?;
    found_arms(&mut tx, caller.tenant_id, &experiment).await?;
    store::insert(&mut tx, caller.tenant_id, &experiment).await?;
    let arms: Vec<_> = experiment.arms.iter().map(|arm| json!([arm.name.as_str(), arm.model, arm.weight])).collect();
    let after = json!({"name": experiment.name.as_str(), "target": experiment.target, "arms": arms});
    audit::record(
        &mut tx,
        AuditEntry::new(caller, experiment.created_at, "experiment.create", experiment.id).with_after(after),
    );
    tx.commit().await?;
    Ok(experiment)
}

fn new_experiment(caller: &Caller, draft: ExperimentDraft, now: Time) -> Experiment {
    let arm = |arm: super::draft::ArmDraft| Arm {
        name: arm.name,
        model: arm.model,
        weight: arm.weight,
        runs_on: None,
        stopped_at: None,
        stopped_why: None,
    };
    Experiment {
        id: ExperimentId::new(),
        name: draft.name,
        description: draft.description,
        target: draft.target.map(|target| target.to_string()),
        session_type: draft.session_type,
        salt: hex::encode(rand::random::<[u8; 16]>()),
        guardrails: draft.guardrails,
        arms: draft.arms.into_iter().map(arm).collect(),
        status: ExperimentStatus::Draft,
        stop_reason: None,
        winner: None,
        winner_at: None,
        promoted: None,
        version: 1,
        created_by: caller.actor(),
        created_at: now,
        started_at: None,
        stopped_at: None,
    }
}

/// Resolves the models of the arms. Fails if one does not resolve, or if the target does.
async fn found_arms(tx: &mut Tx, tenant_id: TenantId, experiment: &Experiment) -> Result<Vec<ResolvedModel>> {
    let mut refused = ValidationErrors::default();
    let mut found = Vec::with_capacity(experiment.arms.len());
    if let Some(target) = experiment.target.as_deref().and_then(parse_reference)
        && let Err(failure) = registry::store::resolve_reference(tx, tenant_id, &target).await?.into_resolved(&target)
    {
        refused.add("target", failure.message);
    }
    for (at, arm) in experiment.arms.iter().enumerate() {
        let Some(reference) = parse_reference(&arm.model) else {
            found.push(ResolvedModel { model_identifier: arm.model.clone(), ..ResolvedModel::default() });
            continue;
        };
        match registry::store::resolve_reference(tx, tenant_id, &reference).await?.into_resolved(&reference) {
            Ok(resolved) => found.push(resolved),
            Err(failure) => refused.add(format!("arms[{at}].model"), failure.message),
        }
    }
    refused.into_result()?;
    Ok(found)
}

pub async fn get(context: &Context, caller: &Caller, id: ExperimentId) -> Result<Experiment> {
    store::find_experiment(&context.db, caller.tenant_id, id).await
}

/// A page of experiments, newest first.
pub async fn list(
    context: &Context,
    caller: &Caller,
    status: &[ExperimentStatus],
    before: Option<ExperimentId>,
    most: i64,
) -> Result<Vec<Experiment>> {
    store::list_page(&context.db, caller.tenant_id, status, before, most).await
}

/// Starts a draft: pins the models of its arms and begins to assign sessions.
pub async fn start(context: &Context, caller: &Caller, id: ExperimentId) -> Result<Experiment> {
    let mut tx = context.db.tenant(caller.tenant_id).await?;
    let mut experiment = store::lock_experiment(&mut tx, caller.tenant_id, id).await?;
    must_be(&experiment, ExperimentStatus::Draft, "started")?;
    let found = found_arms(&mut tx, caller.tenant_id, &experiment).await?;
    for (arm, runs_on) in experiment.arms.iter_mut().zip(found) {
        arm.runs_on = Some(runs_on);
    }
    let now = context.clock.now();
    (experiment.status, experiment.started_at) = (ExperimentStatus::Running, Some(now));
    let pinned = experiment.arms.iter().map(|arm| json!([arm.name.as_str(), arm.runs_on])).collect::<Vec<_>>();
    save_experiment(
        tx,
        caller.tenant_id,
        &mut experiment,
        vec![audit_entry(caller, now, "start", id, json!({"arms": pinned}))],
    )
    .await?;
    Ok(experiment)
}

/// Stops a running experiment. Sessions in progress finish on their arms.
pub async fn stop(context: &Context, caller: &Caller, id: ExperimentId, reason: Option<String>) -> Result<Experiment> {
    let mut tx = context.db.tenant(caller.tenant_id).await?;
    let mut experiment = store::lock_experiment(&mut tx, caller.tenant_id, id).await?;
    must_be(&experiment, ExperimentStatus::Running, "stopped")?;
    let now = context.clock.now();
    end_experiment(&mut experiment, now, reason.unwrap_or_else(|| "stop".to_owned()));
    let details = json!({"reason": experiment.stop_reason});
    save_experiment(tx, caller.tenant_id, &mut experiment, vec![audit_entry(caller, now, "stop", id, details)]).await?;
    Ok(experiment)
}

/// Points an alias at the version that an arm runs on, and stops the experiment if it still runs.
pub async fn promote(
    context: &Context,
    caller: &Caller,
    id: ExperimentId,
    arm: &Alias,
    alias: &Alias,
) -> Result<Experiment> {
    let mut tx = context.db.tenant(caller.tenant_id).await?;
    let mut experiment = store::lock_experiment(&mut tx, caller.tenant_id, id).await?;
    if experiment.status == ExperimentStatus::Draft {
        return Err(state_conflict(&experiment, "An experiment that was never started has no arm to promote."));
    }
    let (name, version) = promoted_version(&experiment, arm)?;
    let now = context.clock.now();
    let to = (&name, alias, &version);
    registry::service::point_in(&mut tx, caller.tenant_id, caller.into(), now, to).await?;
    if experiment.status == ExperimentStatus::Running {
        end_experiment(&mut experiment, now, format!("{arm} was promoted"));
    }
    let promoted = PromotedArm {
        arm: arm.to_string(),
        model: name.to_string(),
        version: version.to_string(),
        alias: alias.to_string(),
    };
    let details = json!({"promoted": promoted, "winner": experiment.winner});
    experiment.promoted = Some(promoted);
    save_experiment(tx, caller.tenant_id, &mut experiment, vec![audit_entry(caller, now, "promote", id, details)])
        .await?;
    context.notify_tenant(caller.tenant_id).await;
    Ok(experiment)
}

/// The version that an arm runs on.
fn promoted_version(experiment: &Experiment, arm: &Alias) -> Result<(Name, Version)> {
    let found = experiment.arms.iter().find(|one| one.name == *arm);
    let found = found.ok_or_else(|| Error::invalid_field("arm", format!("the experiment has no arm {arm}")))?;
    let version = found.runs_on.as_ref().and_then(|on| Some((on.name.as_ref()?, on.version.as_ref()?)));
    let (name, version) = version.ok_or_else(|| {
        Error::invalid_field(
            "arm",
            format!("{arm} runs on {}, which is no version of the registry: register it first", found.model),
        )
    })?;
    Ok((name.parse().map_err(Error::internal)?, version.parse().map_err(Error::internal)?))
}

/// The results of an experiment, and the conclusions from them.
pub async fn get_results(
    context: &Context,
    caller: &Caller,
    id: ExperimentId,
) -> Result<(Experiment, ArmTallies, ArmVerdict)> {
    let experiment = store::find_experiment(&context.db, caller.tenant_id, id).await?;
    let mut tx = context.db.tenant(caller.tenant_id).await?;
    let known = store::read_tallies(&mut tx, caller.tenant_id, id).await?;
    tx.commit().await?;
    let verdict = ArmVerdict::evaluate_arms(&experiment, &known);
    Ok((experiment, known, verdict))
}

/// Evaluates all running experiments. A failed evaluation is logged and repeated by the next run.
pub async fn look_at_all(context: &Context) -> Result<()> {
    for (tenant_id, id) in store::all_running(&context.db).await? {
        if let Err(error) = evaluate_experiment(context, tenant_id, id).await {
            tracing::warn!(?error, experiment.id = %id, "an experiment was not evaluated; the reconciler will retry");
        }
    }
    Ok(())
}

/// Evaluates an experiment: stops the arms that violate a guardrail, and records the first winner.
async fn evaluate_experiment(context: &Context, tenant_id: TenantId, id: ExperimentId) -> Result<()> {
    let mut tx = context.db.tenant(tenant_id).await?;
    let mut experiment = store::lock_experiment(&mut tx, tenant_id, id).await?;
    if experiment.status != ExperimentStatus::Running {
        return tx.commit().await;
    }
    let verdict = ArmVerdict::evaluate_arms(&experiment, &store::read_tallies(&mut tx, tenant_id, id).await?);
    let entries = conclude_experiment(&mut experiment, verdict, context.clock.now());
    if entries.is_empty() {
        return tx.commit().await;
    }
    save_experiment(tx, tenant_id, &mut experiment, entries).await
}

/// Applies the conclusions of an evaluation. Returns the changes.
fn conclude_experiment(experiment: &mut Experiment, verdict: ArmVerdict, now: Time) -> Vec<AuditEntry> {
    let (id, mut entries) = (experiment.id, Vec::new());
    let by_itself = |verb: &str, details: Value| audit_entry(Actor::system_part("experiments"), now, verb, id, details);
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
        end_experiment(experiment, now, "every arm broke a guardrail".to_owned());
        entries.push(by_itself("stop", json!({"reason": experiment.stop_reason})));
    }
    entries
}

fn end_experiment(experiment: &mut Experiment, now: Time, reason: String) {
    experiment.status = ExperimentStatus::Stopped;
    experiment.stopped_at = Some(now);
    experiment.stop_reason = Some(reason);
}

fn audit_entry(by: impl Into<By>, now: Time, verb: &str, id: ExperimentId, details: Value) -> AuditEntry {
    AuditEntry::new(by, now, format!("experiment.{verb}"), id).with_after(details)
}

async fn save_experiment(
    mut tx: Tx,
    tenant_id: TenantId,
    experiment: &mut Experiment,
    entries: Vec<AuditEntry>,
) -> Result<()> {
    experiment.version += 1;
    for entry in entries {
        audit::record(&mut tx, entry);
    }
    store::save_experiment(&mut tx, tenant_id, experiment).await?;
    tx.commit().await
}

fn must_be(experiment: &Experiment, status: ExperimentStatus, verb: &str) -> Result<()> {
    if experiment.status == status {
        return Ok(());
    }
    Err(state_conflict(experiment, &format!("A {} experiment cannot be {verb}.", experiment.status.name())))
}

#[track_caller]
fn state_conflict(experiment: &Experiment, detail: &str) -> Error {
    let allowed: &[ExperimentStatus] = match experiment.status {
        ExperimentStatus::Draft => &[ExperimentStatus::Running],
        ExperimentStatus::Running => &[ExperimentStatus::Stopped],
        ExperimentStatus::Stopped => &[],
    };
    let current = json!({"status": experiment.status, "allowed_transitions": allowed, "version": experiment.version});
    Error::new(Code::InvalidTransition, detail).with_current(current)
}
