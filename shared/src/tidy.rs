//! After the end of a session: its children, its agent and its workspace, also when the process died right after the end.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::Map;

use crate::{
    app::App,
    error::{Code, Error, Result},
    event::EventType,
    id::{SessionId, TenantId},
    job::{Job, Verdict},
    observe::{Run, UNTIL_REST_IS_ASKED_AGAIN, store_artifacts},
    runtime::{Assignment, Continuation},
    session::{
        progress, service,
        status::Status,
        store::{self, Claimed, Left},
    },
    step,
};

/// How long an agent has to give a workspace back before it is asked again; doubled each time it could not.
const FIRST_PAUSE: TimeDelta = TimeDelta::minutes(2);
const LONGEST_PAUSE: TimeDelta = TimeDelta::hours(1);

/// How long after the end of its session a workspace is given up: its agent does not come back.
const GIVEN_UP: TimeDelta = TimeDelta::days(7);

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
    let (mut seen, mut work) = (None, None);
    if !given_back && done.is_ok() {
        // What it did since the last look was not free, also when somebody else said that it is over.
        seen = run.runtime.observe(&run.assignment, &run.state).await.ok();
        work = run.collect().await;
    }
    let artifacts = store_artifacts(app, session, work.as_ref()).await?;
    step::write_with(app, session, "observer", &artifacts, |change| {
        let again = match done {
            Err(_) if change.session.attempts < progress::MAX_ATTEMPTS => {
                change.session.attempts += 1;
                Some(change.now + UNTIL_REST_IS_ASKED_AGAIN)
            }
            _ if given_back => None,
            _ => change.session.ended_at.map(|ended| ended + retention),
        };
        if let Some(seen) = seen {
            progress::recorded(change, seen);
        }
        change.session.next_step_at = again;
        change.work = work;
        for artifact in &artifacts {
            change.event(EventType::Artifact, serde_json::to_value(artifact)?);
        }
        Ok(())
    })
    .await
}

/// The job `GiveBack`: has the agent give the workspace of a session back that is gone. The row says when to try again;
/// that it was taken up says so too, so a step that dies is done again.
pub async fn give_back(app: &App, tenant_id: TenantId, id: SessionId) -> Result<Verdict> {
    let (now, named) = (app.clock.now(), (tenant_id, id));
    let Some(left) = store::take_workspace(&app.db, named, now, now + FIRST_PAUSE).await? else {
        return Ok(Verdict::Done);
    };
    let given_back = release(app, named, &left).await;
    let Err(error) = given_back else {
        store::forget_workspace(&app.db, named).await?;
        return Ok(Verdict::Done);
    };
    if left.agent.is_none() || left.left_at + GIVEN_UP <= now {
        tracing::warn!(?error, "the workspace of a deleted session was not given back and stays with its agent");
        store::forget_workspace(&app.db, named).await?;
    } else {
        tracing::info!(
            ?error,
            attempts = left.attempts,
            "a workspace could not be given back; the sweep comes back to it"
        );
        let doublings = left.attempts.clamp(1, 10) - 1;
        let pause = (FIRST_PAUSE * 2_i32.pow(doublings.unsigned_abs())).min(LONGEST_PAUSE);
        store::put_off_workspace(&app.db, named, now + pause).await?;
    }
    Ok(Verdict::Done)
}

async fn release(app: &App, (tenant_id, session_id): (TenantId, SessionId), left: &Left) -> Result<()> {
    let agent = left.agent.clone().ok_or_else(|| Error::new(Code::AgentNotFound, "The agent is gone."))?;
    let runtime = app.agents.runtime(&agent)?;
    // Of what was asked nothing is kept beyond the session; giving back takes its name and the state of its run.
    let assignment = Assignment {
        tenant_id,
        session_id,
        agent,
        run: left.run,
        run_started_at: left.run_started_at,
        title: String::new(),
        session_type: String::new(),
        prompt: String::new(),
        model: None,
        agent_config: Map::default(),
        workspace: None,
        cpu_limit: None,
        memory_limit_mb: None,
        timeout_seconds: 0,
        continuation: Continuation::Start,
    };
    let released = runtime.release(&assignment, &left.run_state).await;
    released.map_err(|failure| Error::new(Code::AgentUnavailable, failure.message))
}

/// Rings for workspaces that were left behind, once that is committed.
pub(crate) async fn ring(app: &App, tenant_id: TenantId, left: Vec<SessionId>) {
    let jobs: Vec<_> = left.into_iter().map(|id| (Job::give_back(tenant_id, id), Duration::ZERO)).collect();
    app.ring(&jobs).await;
}
