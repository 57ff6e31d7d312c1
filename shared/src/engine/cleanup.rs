//! Cleanup after the end of a session: its children, its agent and its workspace, also if the process died right after
//! the end.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::Map;

use crate::{
    agents::contract::{Assignment, Continuation},
    engine::{
        agent_call::{AgentCall, RunReport, When},
        commit::{commit_change, commit_with_artifacts},
        follow_up::orphan_below,
        interrupt::ABORT_RETRY_DELAY,
        services::Engine,
    },
    kernel::{
        backoff::RetryPolicy,
        error::{Code, Error, Result},
        failure::Failure,
        panic::catch_panic,
    },
    platform::queue::job::JobOutcome,
    sessions::{
        SessionKey,
        policy::MAX_ATTEMPTS,
        status::Status,
        store::{self, ClaimedSession, PendingRelease},
        transitions::{collection, run},
    },
};

/// The pauses before an agent is asked again to release a workspace.
const RELEASE_RETRY: RetryPolicy = RetryPolicy::new(Duration::from_mins(2), Duration::from_hours(1));

/// How long after the deletion of its session a workspace is given up: its agent does not come back.
const RELEASE_TIMEOUT: TimeDelta = TimeDelta::days(7);

/// Runs the step of a session that has ended: orphans the sessions that wait for it, aborts the agent's run, and
/// releases the workspace once its retention is over.
pub(crate) async fn run_cleanup_step(engine: &Engine, claimed: &ClaimedSession) -> Result<()> {
    let session = &claimed.session;
    let is_success = matches!(session.status, Status::Completed | Status::PartiallyCompleted);
    if session.lineage.child_count > 0 && !is_success {
        orphan_below(engine, session.key()).await?;
    }
    let Some(call) = AgentCall::of_claimed(engine, claimed).await? else {
        return commit_change(engine, session, "observer", |change| {
            change.schedule_nothing();
            Ok(())
        })
        .await;
    };
    let retention = TimeDelta::from_std(engine.session_settings.workspace_retention).unwrap_or(TimeDelta::MAX);
    let is_retained = session.clock.ended_at.is_some_and(|ended| ended + retention > engine.clock.now());
    if is_retained {
        abort_after_end(engine, claimed, call, retention).await
    } else {
        release_after_retention(engine, claimed, call).await
    }
}

/// Aborts the agent's run after the session has ended, and meters usage since the last observation, even if the session
/// was ended by someone else. The workspace is released later.
async fn abort_after_end(
    engine: &Engine,
    claimed: &ClaimedSession,
    call: AgentCall,
    retention: TimeDelta,
) -> Result<()> {
    let aborted = call.abort_run().await;
    // An agent that cannot be reached may still have a workspace that can be read.
    let mut report = call.finish_with_agent(engine, aborted, When::IfAborted, When::Always).await?;
    let artifacts = report.artifacts.clone();
    let policy = engine.session_settings.observation_policy(&call.assignment.agent);
    commit_with_artifacts(engine, &claimed.session, "observer", &artifacts, |change| {
        if let Some(observation) = report.observation.take() {
            run::record_observation(change, observation, &policy);
        }
        report.add_events(change)?;
        let RunReport { aborted, work, unread, .. } = report;
        let session = &mut change.session;
        let release_at = session.clock.ended_at.map(|ended| ended + retention);
        let misses_work = session.run.failed_collections > 0;
        let cleaned = unread.filter(|_| misses_work).map_or(aborted, Err);
        let retry_at = retry_cleanup_at(&mut session.run.attempts, &cleaned).map(|delay| change.now + delay);
        session.schedule.next_step_at = retry_at.or(release_at);
        collection::record_late_work(change, work);
        Ok(())
    })
    .await
}

async fn release_after_retention(engine: &Engine, claimed: &ClaimedSession, call: AgentCall) -> Result<()> {
    let released = call.runtime.release_workspace(&call.assignment, &call.state).await;
    commit_change(engine, &claimed.session, "observer", |change| {
        let delay = retry_cleanup_at(&mut change.session.run.attempts, &released);
        change.session.schedule.next_step_at = delay.map(|delay| change.now + delay);
        Ok(())
    })
    .await
}

/// After which time a cleanup that failed is retried. `None`: it succeeded, or its attempts are used up.
fn retry_cleanup_at(attempts: &mut i32, result: &Result<(), Failure>) -> Option<TimeDelta> {
    if result.is_ok() || *attempts >= MAX_ATTEMPTS {
        return None;
    }
    *attempts += 1;
    Some(ABORT_RETRY_DELAY)
}

/// The job `ReleaseWorkspace`: has the agent release the workspace of a deleted session. The row says when to retry,
/// and that an attempt was begun, so an attempt that dies is repeated.
pub async fn release_workspace(engine: &Engine, key: SessionKey) -> Result<JobOutcome> {
    let now = engine.clock.now();
    let retry_at = now + chrono_delay(RELEASE_RETRY.retry_delay(1));
    let Some(release) = store::claim_workspace_release(&engine.db, key, now, retry_at).await? else {
        return Ok(JobOutcome::Complete);
    };
    let Err(error) = catch_panic(release_by_agent(engine, key, &release)).await else {
        store::delete_workspace_release(&engine.db, key).await?;
        return Ok(JobOutcome::Complete);
    };
    if release.agent.is_none() || release.requested_at + RELEASE_TIMEOUT <= now {
        tracing::warn!(?error, "the workspace of a deleted session was not released and stays with its agent");
        store::delete_workspace_release(&engine.db, key).await?;
    } else {
        let attempts = release.attempts;
        tracing::info!(?error, attempts, "a workspace could not be released; the reconciler will retry");
        let retry_at = now + chrono_delay(RELEASE_RETRY.retry_delay(attempts));
        store::postpone_workspace_release(&engine.db, key, retry_at).await?;
    }
    Ok(JobOutcome::Complete)
}

fn chrono_delay(delay: Duration) -> TimeDelta {
    TimeDelta::from_std(delay).unwrap_or(TimeDelta::MAX)
}

async fn release_by_agent(engine: &Engine, key: SessionKey, release: &PendingRelease) -> Result<()> {
    let agent = release.agent.clone().ok_or_else(|| Error::new(Code::AgentNotFound, "The agent was removed."))?;
    let runtime = engine.runtimes.runtime(&agent)?;
    // The specification is deleted with the session. A release needs only the session's id and the state of its run.
    let assignment = Assignment {
        tenant_id: key.tenant_id,
        session_id: key.id,
        agent,
        run: release.run,
        run_started_at: release.run_started_at,
        title: String::new(),
        session_type: String::new(),
        prompt: String::new(),
        model: None,
        agent_config: Map::default(),
        workspace: None,
        environment: None,
        cpu_limit: None,
        memory_limit_mb: None,
        timeout_seconds: 0,
        continuation: Continuation::Start,
    };
    let released = runtime.release_workspace(&assignment, &release.run_state).await;
    released.map_err(|failure| Error::new(Code::AgentUnavailable, failure.message))
}
