//! Which model a session runs on that names one of the registry, or an experiment: looked up once, right before its agent
//! gets the work, and kept for all that follows from that. Only a retry looks it up anew.

use serde_json::json;

use crate::{
    app::App,
    auth::Actor,
    clock::Time,
    db::Tx,
    error::{Code, Error, Result},
    event::EventType,
    experiment::{self, Experiment, assignment},
    model::{
        self, InExperiment, NOT_RESOLVED, Reference, ResolvedModel,
        name::{EXPERIMENT, REGISTRY},
    },
    session::{
        Session,
        change::Change,
        outcome::{Category, Failure},
        store,
    },
};

/// Finds what a claimed session runs on and writes it down, unless that is known already or it names no reference. The
/// inner error is of the session: its model leads to nothing that can be run.
pub(super) async fn settle(app: &App, claimed: &mut Session) -> Result<Result<(), Failure>> {
    let is_reference = |text: &&String| text.starts_with(REGISTRY) || text.starts_with(EXPERIMENT);
    let named = claimed.model_identifier.as_ref().filter(|_| claimed.resolved_model.is_none()).filter(is_reference);
    let Some(named) = named.cloned() else { return Ok(Ok(())) };
    let mut tx = app.db.tenant(claimed.tenant_id).await?;
    let session = store::lock(&mut tx, claimed.tenant_id, claimed.id).await?;
    if session.fence != claimed.fence {
        return Err(Error::new(Code::DependencyUnavailable, "The step was taken over by another worker."));
    }
    let now = app.clock.now();
    let resolved = match find(&mut tx, &session, &named, now).await? {
        Ok(resolved) => resolved,
        Err(failure) => return Ok(Err(failure)),
    };
    let mut change = Change::new(session, Actor::system("dispatcher"), now);
    change.event(EventType::Updated, json!({"changed": {"resolved_model": resolved}}));
    change.session.resolved_model = Some(resolved.clone());
    change.session.updated_at = now;
    store::save(tx, &change).await?;
    app.tell(claimed.tenant_id, claimed.id).await;
    claimed.resolved_model = Some(resolved);
    Ok(Ok(()))
}

/// The arm of the experiment that it takes part in, else what it names.
async fn find(tx: &mut Tx, session: &Session, named: &str, now: Time) -> Result<Result<ResolvedModel, Failure>> {
    let experiment_named = named.strip_prefix(EXPERIMENT);
    let target = Some(named).filter(|_| experiment_named.is_none());
    let session_type = session.session_type;
    let found = experiment::store::running(tx, session.tenant_id, (experiment_named, target), session_type).await?;
    match found {
        Some(found) => assigned(tx, session, &found, now).await,
        None if experiment_named.is_some() => Ok(Err(not_running(named))),
        // It was checked when the session was made.
        None => registered(tx, session, &named.parse().map_err(Error::internal)?).await,
    }
}

async fn registered(tx: &mut Tx, session: &Session, reference: &Reference) -> Result<Result<ResolvedModel, Failure>> {
    Ok(model::store::resolve(tx, session.tenant_id, reference).await?.found(reference))
}

/// Draws the arm of a session and writes down that it was.
async fn assigned(
    tx: &mut Tx,
    session: &Session,
    experiment: &Experiment,
    now: Time,
) -> Result<Result<ResolvedModel, Failure>> {
    let drawn = assignment::arm(&experiment.salt, session.root_id, &experiment.arms);
    let Some((arm, runs_on)) = drawn.and_then(|arm| Some((arm, arm.runs_on.clone()?))) else {
        return Ok(Err(not_running(experiment.name.as_str())));
    };
    let mut resolved = runs_on;
    if let (Some(name), Some(version)) = (&resolved.name, &resolved.version) {
        // It may have been archived since the experiment was started.
        let reference = format!("{REGISTRY}{name}@{version}").parse().map_err(Error::internal)?;
        if let Err(failure) = registered(tx, session, &reference).await? {
            return Ok(Err(failure));
        }
    }
    let sessions = (session.id, session.root_id);
    experiment::store::assign(tx, session.tenant_id, experiment.id, sessions, &arm.name, now).await?;
    let (id, name, arm) = (experiment.id, experiment.name.to_string(), arm.name.to_string());
    resolved.experiment = Some(InExperiment { id, name, arm });
    Ok(Ok(resolved))
}

fn not_running(named: &str) -> Failure {
    let mut failure = Failure::new(Category::User, NOT_RESOLVED, format!("{named} is no experiment that runs."));
    "Start the experiment and retry, or create the session with a model.".clone_into(&mut failure.remedy);
    failure
}
