//! Resolves the model of a session that names a registered model or an experiment: once, right before the agent gets
//! the work. The result holds for all runs that follow; only a retry resolves it again.

use serde_json::json;

use crate::{
    engine::{lease::claimed_by_another, services::Engine},
    events::log::EventType,
    kernel::{
        actor::Actor,
        clock::Time,
        error::{Error, Result},
        failure::{Category, Failure},
    },
    models::{
        experiments::{self, Experiment, assignment},
        registry::{
            self, InExperiment, NOT_RESOLVED, Reference, ResolvedModel,
            name::{EXPERIMENT, REGISTRY},
        },
    },
    platform::postgres::Tx,
    sessions::{Session, change::SessionChange, store},
};

/// Resolves the model of a claimed session and writes it, unless it is resolved already or names no reference. The
/// inner error is the session's own: its reference leads to no model that can run.
pub(crate) async fn resolve_model(engine: &Engine, claimed: &mut Session) -> Result<Result<(), Failure>> {
    let is_reference = |text: &&String| text.starts_with(REGISTRY) || text.starts_with(EXPERIMENT);
    let named =
        claimed.spec.model_identifier.as_ref().filter(|_| claimed.run.resolved_model.is_none()).filter(is_reference);
    let Some(named) = named.cloned() else { return Ok(Ok(())) };
    let mut tx = engine.db.tenant(claimed.tenant_id).await?;
    let session = store::lock_session(&mut tx, claimed.key()).await?;
    if session.schedule.fence != claimed.schedule.fence {
        return Err(claimed_by_another());
    }
    let now = engine.clock.now();
    let resolved = match find_model(&mut tx, &session, &named, now).await? {
        Ok(resolved) => resolved,
        Err(failure) => return Ok(Err(failure)),
    };
    let mut change = SessionChange::new(session, Actor::system_part("dispatcher"), now);
    change.add_event(EventType::Updated, json!({"changed": {"resolved_model": resolved}}));
    change.session.run.resolved_model = Some(resolved.clone());
    change.session.clock.updated_at = now;
    store::save_change(tx, &change).await?;
    engine.notify_session(claimed.tenant_id, claimed.id).await;
    claimed.run.resolved_model = Some(resolved);
    Ok(Ok(()))
}

/// The model of the experiment's arm that the session takes part in, else the model that it names.
async fn find_model(tx: &mut Tx, session: &Session, named: &str, now: Time) -> Result<Result<ResolvedModel, Failure>> {
    let experiment_named = named.strip_prefix(EXPERIMENT);
    let target = Some(named).filter(|_| experiment_named.is_none());
    let session_type = session.spec.session_type;
    let found =
        experiments::store::find_running(tx, session.tenant_id, (experiment_named, target), session_type).await?;
    match found {
        Some(found) => assign_arm(tx, session, &found, now).await,
        None if experiment_named.is_some() => Ok(Err(experiment_not_running(named))),
        // The reference was checked when the session was created.
        None => resolve_registered(tx, session, &named.parse().map_err(Error::internal)?).await,
    }
}

async fn resolve_registered(
    tx: &mut Tx,
    session: &Session,
    reference: &Reference,
) -> Result<Result<ResolvedModel, Failure>> {
    Ok(registry::store::resolve_reference(tx, session.tenant_id, reference).await?.into_resolved(reference))
}

/// Draws the arm of a session and records the assignment.
async fn assign_arm(
    tx: &mut Tx,
    session: &Session,
    experiment: &Experiment,
    now: Time,
) -> Result<Result<ResolvedModel, Failure>> {
    let drawn = assignment::pick_arm(&experiment.salt, session.lineage.root_id, &experiment.arms);
    let Some((arm, runs_on)) = drawn.and_then(|arm| Some((arm, arm.runs_on.clone()?))) else {
        return Ok(Err(experiment_not_running(experiment.name.as_str())));
    };
    let mut resolved = runs_on;
    if let (Some(name), Some(version)) = (&resolved.name, &resolved.version) {
        // The version may have been archived since the experiment started.
        let reference = format!("{REGISTRY}{name}@{version}").parse().map_err(Error::internal)?;
        if let Err(failure) = resolve_registered(tx, session, &reference).await? {
            return Ok(Err(failure));
        }
    }
    let sessions = (session.id, session.lineage.root_id);
    experiments::store::assign_arm(tx, session.tenant_id, experiment.id, sessions, &arm.name, now).await?;
    let (id, name, arm) = (experiment.id, experiment.name.to_string(), arm.name.to_string());
    resolved.experiment = Some(InExperiment { id, name, arm });
    Ok(Ok(resolved))
}

fn experiment_not_running(named: &str) -> Failure {
    let mut failure = Failure::new(Category::User, NOT_RESOLVED, format!("{named} is no experiment that runs."));
    "Start the experiment and retry, or create the session with a model.".clone_into(&mut failure.remedy);
    failure
}
