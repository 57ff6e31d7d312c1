//! Pausing and resuming all sessions of a tenant: by its deactivation and reactivation, and when it has tokens again.
//! Each session is changed on its own; a failure is left to the reconciler.

use crate::{
    engine::{admission::admit_for_tenant, follow_up::change_session, resume::change_by_capacity, services::Engine},
    identity::tenants,
    kernel::{
        actor::Actor,
        error::{Code, Result},
        id::{SessionId, TenantId},
    },
    sessions::{
        SessionKey,
        status::{PauseReason, Status},
        store,
        transitions::{
            commands::{self, CommandOutcome},
            suspension,
        },
    },
};

/// Brings the sessions of a tenant in line with the tenant: paused while it is inactive, else resumed and started as
/// far as its limits allow.
pub async fn reconcile_tenant(engine: &Engine, id: TenantId) -> Result<()> {
    let mut is_active = tenants::store::find_tenant(&engine.db, id).await?.is_active;
    loop {
        if is_active {
            resume_suspended_sessions(engine, id).await?;
            admit_for_tenant(engine, id, None).await?;
            resume_sessions_with_tokens(engine, id).await?;
        } else {
            suspend_sessions(engine, id).await?;
        }
        // The tenant may have been changed meanwhile, before all of its sessions were.
        let is_active_now = tenants::store::find_tenant(&engine.db, id).await?.is_active;
        if is_active_now == is_active {
            return Ok(());
        }
        is_active = is_active_now;
    }
}

/// Requests the pause of every running session of a deactivated tenant.
async fn suspend_sessions(engine: &Engine, tenant_id: TenantId) -> Result<()> {
    for id in store::sessions_to_suspend(&engine.db, tenant_id).await? {
        let key = SessionKey::new(tenant_id, id);
        let suspended = change_session(engine, key, suspension::suspension_actor().into(), |change| {
            let queue_until = engine.session_settings.queue_deadline_of(&change.session);
            suspension::suspend_session(change, queue_until);
            Ok(())
        });
        log_failure(id, suspended.await.map(|_| ()));
    }
    Ok(())
}

/// Resumes the sessions that [`suspend_sessions`] paused, and no others.
async fn resume_suspended_sessions(engine: &Engine, tenant_id: TenantId) -> Result<()> {
    for id in store::suspended_sessions(&engine.db, tenant_id).await? {
        let key = SessionKey::new(tenant_id, id);
        let queue_until = engine.session_settings.queue_deadline(engine.clock.now());
        let resumed = change_by_capacity(engine, key, suspension::suspension_actor(), |change, snapshot| {
            suspension::release_session(change, snapshot.can_resume(), queue_until)
        });
        log_failure(id, resumed.await.map(|_| ()));
    }
    Ok(())
}

/// Resumes the sessions of a tenant that wait for tokens, if it has tokens again.
async fn resume_sessions_with_tokens(engine: &Engine, tenant_id: TenantId) -> Result<()> {
    for id in store::sessions_to_resume(&engine.db, tenant_id, engine.clock.now()).await? {
        log_failure(id, resume_session_with_tokens(engine, SessionKey::new(tenant_id, id)).await);
    }
    Ok(())
}

/// Resumes one session that waits for tokens.
pub(crate) async fn resume_session_with_tokens(engine: &Engine, key: SessionKey) -> Result<()> {
    let queue_until = engine.session_settings.queue_deadline(engine.clock.now());
    let resumed = change_by_capacity(engine, key, Actor::system_part("quota"), |change, snapshot| {
        let waits_for_tokens =
            change.session.status == Status::Paused && change.session.pause.reason == Some(PauseReason::Quota);
        if !waits_for_tokens {
            return Ok(CommandOutcome::Applied);
        }
        let can_start = snapshot.can_start_now();
        commands::resume_or_requeue(change, "there are tokens again", true, can_start, queue_until)
    });
    resumed.await.map(|_| ())
}

fn log_failure(id: SessionId, result: Result<()>) {
    match result {
        Err(error) if error.code() != Code::SessionNotFound => {
            tracing::warn!(?error, session.id = %id, "a session could not be paused or resumed; the reconciler will retry");
        }
        _ => {}
    }
}
