//! What holds and releases the sessions of a whole tenant: its deactivation, and its tokens. Each session is a change of
//! its own; one that fails is left to the next sweep.

use crate::{
    app::App,
    auth::Actor,
    error::{Code, Result},
    id::{SessionId, TenantId},
    session::{
        status::{PauseReason, Status},
        store, suspension,
        verbs::{self, Progress},
    },
};

/// Has everything paused that runs of a deactivated tenant.
pub(crate) async fn suspend_all(app: &App, tenant_id: TenantId) -> Result<()> {
    for id in store::to_suspend(&app.db, tenant_id).await? {
        let by = suspension::actor().into();
        let suspended = super::change(app, tenant_id, id, by, |change| {
            suspension::suspend(change);
            Ok(())
        });
        tell_failure(id, suspended.await.map(|_| ()));
    }
    Ok(())
}

/// Lets those go on that [`suspend_all`] held, and no others.
pub(crate) async fn release_all(app: &App, tenant_id: TenantId) -> Result<()> {
    for id in store::suspended(&app.db, tenant_id).await? {
        let until = super::queue_until(app, app.clock.now());
        let released = super::drive::go_on_in(app, tenant_id, id, suspension::actor(), |change, room| {
            suspension::release(change, room.free_to_return(), until)
        });
        tell_failure(id, released.await.map(|_| ()));
    }
    Ok(())
}

/// Lets a tenant's sessions go on that wait for tokens, if there are any again.
pub(crate) async fn resume_spent(app: &App, tenant_id: TenantId) -> Result<()> {
    for id in store::with_tokens_again(&app.db, tenant_id, app.clock.now()).await? {
        tell_failure(id, resume_one_spent(app, tenant_id, id).await);
    }
    Ok(())
}

/// Lets one session go on that waits for tokens.
pub(crate) async fn resume_one_spent(app: &App, tenant_id: TenantId, id: SessionId) -> Result<()> {
    let until = super::queue_until(app, app.clock.now());
    let resumed = super::go_on(app, tenant_id, id, Actor::system("quota"), |change, free| {
        let held = change.session.status == Status::Paused && change.session.pause_reason == Some(PauseReason::Quota);
        if held { verbs::go_on(change, "there are tokens again", true, free, until) } else { Ok(Progress::Done) }
    });
    resumed.await.map(|_| ())
}

fn tell_failure(id: SessionId, outcome: Result<()>) {
    if let Err(error) = outcome.or_else(|error| if error.code() == Code::SessionNotFound { Ok(()) } else { Err(error) })
    {
        tracing::warn!(?error, session.id = %id, "a session could not be held or released; the next sweep tries again");
    }
}
