//! Interrupting a run: the requested pause or stop, and the end of a run that exceeded its time. The agent is aborted
//! first.

use chrono::TimeDelta;

use crate::{
    agents::contract::RunOutput,
    engine::{
        agent_call::{AgentCall, RunReport, When},
        commit::{commit_change, commit_with_artifacts},
        services::Engine,
    },
    kernel::{clock::Time, error::Result},
    sessions::{
        Session,
        change::SessionChange,
        policy::{MAX_ATTEMPTS, ObservationPolicy},
        store::ClaimedSession,
        transitions::{collection, run},
    },
};

/// When an agent that could not be aborted at the end of its session is aborted again.
pub(crate) const ABORT_RETRY_DELAY: TimeDelta = TimeDelta::minutes(1);

/// Whether a session has run for its maximal duration.
pub(crate) fn is_over_time(session: &Session, now: Time) -> bool {
    session.deadline().is_some_and(|deadline| deadline <= now)
}

/// Carries out the requested pause or stop of a claimed session.
pub(crate) async fn apply_intent(engine: &Engine, claimed: &ClaimedSession) -> Result<()> {
    let session = &claimed.session;
    let Some(call) = AgentCall::of_claimed(engine, claimed).await? else {
        return commit_change(engine, session, "observer", |change| match change.session.intent.clone() {
            Some(intent) => run::apply_intent(change, intent, None),
            None => Ok(()),
        })
        .await;
    };
    let poll = engine.session_settings.poll;
    let aborted = call.abort_run().await;
    if let Err(failure) = &aborted
        && session.run.attempts < MAX_ATTEMPTS
    {
        // Retry a few times; after that the request is carried out without the agent.
        return commit_change(engine, session, "observer", |change| {
            run::record_unreachable(change, failure, &poll)?;
            Ok(())
        })
        .await;
    }
    // Record what the agent did until it was aborted.
    let report = call.finish_with_agent(engine, aborted, When::Always, When::Always).await?;
    let artifacts = report.artifacts.clone();
    let policy = engine.session_settings.observation_policy(&call.assignment.agent);
    let decide = |change: &mut SessionChange| apply_intent_with_work(change, report, &policy);
    commit_with_artifacts(engine, session, "observer", &artifacts, decide).await
}

fn apply_intent_with_work(change: &mut SessionChange, mut report: RunReport, policy: &ObservationPolicy) -> Result<()> {
    if let Some(observation) = report.observation.take() {
        let intent = change.session.intent.clone();
        run::evaluate_observation(change, observation, policy)?;
        change.session.intent = intent;
    }
    report.add_events(change)?;
    let RunReport { aborted, work, unread, .. } = report;
    let Some(intent) = change.session.intent.clone() else { return Ok(()) };
    if let Some(unread) = &unread {
        collection::add_unread_warning(change, unread);
    }
    run::apply_intent(change, intent, work)?;
    if (aborted.is_err() || unread.is_some()) && change.session.status.is_over() {
        run::schedule_abort_retry(change, ABORT_RETRY_DELAY);
    }
    Ok(())
}

/// Ends a run without waiting for its agent, which is aborted as far as possible.
pub(crate) async fn terminate(
    engine: &Engine,
    session: &Session,
    call: AgentCall,
    end: impl FnOnce(&mut SessionChange, Option<RunOutput>) -> Result<()>,
) -> Result<()> {
    let aborted = call.abort_run().await;
    let mut report = call.finish_with_agent(engine, aborted, When::Always, When::Always).await?;
    let artifacts = report.artifacts.clone();
    let policy = engine.session_settings.observation_policy(&call.assignment.agent);
    commit_with_artifacts(engine, session, "observer", &artifacts, |change| {
        if let Some(observation) = report.observation.take() {
            run::evaluate_observation(change, observation, &policy)?;
        }
        report.add_events(change)?;
        let RunReport { aborted, work, unread, .. } = report;
        if let Some(unread) = &unread {
            collection::add_unread_warning(change, unread);
        }
        end(change, work)?;
        if aborted.is_err() || unread.is_some() {
            run::schedule_abort_retry(change, ABORT_RETRY_DELAY);
        }
        Ok(())
    })
    .await
}
