//! Which model a session runs on that names one of the registry: looked up once, right before its agent gets the work, and
//! kept for all that follows from that. Only a retry looks it up anew.

use serde_json::json;

use crate::{
    app::App,
    auth::Actor,
    error::{Code, Error, Result},
    event::EventType,
    model::{self, Reference, name::REGISTRY},
    session::{Session, change::Change, outcome::Failure, store},
};

/// Finds what a claimed session runs on and writes it down, unless that is known already or it names no reference. The
/// inner error is of the session: its model leads to nothing that can be run.
pub(super) async fn settle(app: &App, claimed: &mut Session) -> Result<Result<(), Failure>> {
    let Some(reference) = reference(claimed)? else { return Ok(Ok(())) };
    let mut tx = app.db.tenant(claimed.tenant_id).await?;
    let session = store::lock(&mut tx, claimed.tenant_id, claimed.id).await?;
    if session.fence != claimed.fence {
        return Err(Error::new(Code::DependencyUnavailable, "The step was taken over by another worker."));
    }
    let resolution = model::store::resolve(&mut tx, claimed.tenant_id, &reference).await?;
    let resolved = match resolution.found(&reference) {
        Ok(resolved) => resolved,
        Err(failure) => return Ok(Err(failure)),
    };
    let mut change = Change::new(session, Actor::system("dispatcher"), app.clock.now());
    change.event(EventType::Updated, json!({"changed": {"resolved_model": resolved}}));
    change.session.resolved_model = Some(resolved.clone());
    change.session.updated_at = change.now;
    store::save(tx, &change).await?;
    app.tell(claimed.tenant_id, claimed.id).await;
    claimed.resolved_model = Some(resolved);
    Ok(Ok(()))
}

/// What is to be looked up.
fn reference(session: &Session) -> Result<Option<Reference>> {
    let named = session.model_identifier.as_deref().filter(|_| session.resolved_model.is_none());
    let named = named.filter(|text| text.starts_with(REGISTRY));
    // It was checked when the session was made.
    named.map(|text| text.parse().map_err(Error::internal)).transpose()
}
