//! After the end of a session: its children, its agent and its workspace, also when the process died right after the end.

use chrono::TimeDelta;

use crate::{
    agent,
    app::App,
    error::{Code, Result},
    event::EventType,
    observe::{Run, store_artifacts},
    session::{Session, progress, service, status::Status, store::Claimed},
    step,
};

/// After the end: calls off those who waited on it, tells the agent to let go, and gives the workspace back when its time
/// is over.
pub(crate) async fn up(app: &App, claimed: &Claimed) -> Result<()> {
    let session = &claimed.session;
    if session.child_count > 0 && !matches!(session.status, Status::Completed | Status::PartiallyCompleted) {
        service::orphan_below(app, session.tenant_id, session.id).await?;
    }
    let Some(run) = Run::of(app, claimed).await? else {
        return step::write(app, session, "observer", |change| {
            change.session.next_step_at = None;
            Ok(())
        })
        .await;
    };
    let retention = TimeDelta::from_std(app.settings.workspace_retention).unwrap_or(TimeDelta::MAX);
    let given_back = session.ended_at.is_none_or(|ended| ended + retention <= app.clock.now());
    let done = if given_back {
        run.runtime.release(&run.assignment, &run.state).await
    } else {
        run.runtime.abort(&run.assignment, &run.state).await
    };
    let work = if given_back || done.is_err() { None } else { run.collect().await };
    let artifacts = store_artifacts(app, session, work.as_ref()).await?;
    step::write_with(app, session, "observer", &artifacts, |change| {
        let again = match done {
            Err(_) if change.session.attempts < progress::MAX_ATTEMPTS => {
                change.session.attempts += 1;
                Some(change.now + TimeDelta::minutes(1))
            }
            _ if given_back => None,
            _ => change.session.ended_at.map(|ended| ended + retention),
        };
        change.session.next_step_at = again;
        change.work = work;
        for artifact in &artifacts {
            change.event(EventType::Artifact, serde_json::to_value(artifact)?);
        }
        Ok(())
    })
    .await
}

/// After a session was deleted: gives its workspace back. Nobody is left to tell when it fails, so the log is told.
pub(crate) async fn let_go(app: &App, session: &Session) {
    let Some(state) = session.run_state.clone() else { return };
    let outcome = async {
        let Some(agent) = session.agent_id else { return Ok(()) };
        let agent = agent::store::contact(&app.db, session.tenant_id, agent).await?;
        let runtime = app.agents.runtime(&agent)?;
        let assignment = step::assignment_for(app, agent, &Session { handover: None, ..session.clone() }).await?;
        runtime
            .release(&assignment, &state)
            .await
            .map_err(|failure| crate::error::Error::new(Code::AgentUnavailable, failure.message))
    };
    if let Err(error) = outcome.await {
        tracing::warn!(?error, session.id = %session.id, "the workspace of a deleted session was not given back");
    }
}
