//! The handover: gives a session that is offered to its agent, or continues at it, to that agent.

use std::sync::Arc;

use chrono::TimeDelta;

use crate::{
    agents::contract::{AgentRuntime, Assignment, Continuation, RunState},
    engine::{
        agent_call::{build_assignment, contact_of},
        commit::{commit_change, commit_even_if_moved},
        exhaustion::run_without_agent,
        interrupt,
        lease::run_session_step,
        model_resolution::resolve_model,
        routing::has_other_agent,
        server_probe::probe_after,
        services::Engine,
    },
    kernel::{
        error::{Code, Error, Result},
        failure::{AGENT_LOST, Category, Failure},
    },
    platform::queue::job::JobOutcome,
    sessions::{
        Session, SessionKey,
        change::SessionChange,
        policy::MAX_ATTEMPTS,
        services::SessionSettings,
        store::ClaimedSession,
        transitions::{offer, run},
    },
};

/// How long a resumed session waits for the work of the run before it: an agent learns with its next report that its
/// task is cancelled, and has some seconds to end it.
const EARLIER_WORK_TIME: TimeDelta = TimeDelta::seconds(45);
const EARLIER_WORK_INTERVAL: TimeDelta = TimeDelta::seconds(1);

/// Hands an offered session to its agent, if no other worker does.
pub(crate) async fn hand_over(engine: &Engine, key: SessionKey) -> Result<JobOutcome> {
    run_session_step(engine, key, |claimed| hand_over_claimed(engine, claimed)).await
}

async fn hand_over_claimed(engine: &Engine, mut claimed: ClaimedSession) -> Result<()> {
    let session = &claimed.session;
    if !session.occupies_slot() || session.run.handover.is_none() {
        return commit_change(engine, session, "dispatcher", |_| Ok(())).await;
    }
    if run_without_agent(engine, &claimed).await? {
        return Ok(());
    }
    if session.intent.is_some() && !may_have_begun(&claimed) {
        return interrupt::apply_intent(engine, &claimed).await;
    }
    if awaits_earlier_work(engine, &claimed).await? {
        return wait_for_earlier_work(engine, session).await;
    }
    let submitted = match resolve_model(engine, &mut claimed.session).await? {
        Ok(()) => submit_run(engine, &claimed).await?,
        Err(failure) => Err(failure),
    };
    let failure = submitted.as_ref().err();
    let fault = failure.filter(|failure| failure.is_server_fault()).cloned();
    let goes_elsewhere = goes_elsewhere(engine, &claimed.session, failure).await?;
    let settings = engine.session_settings;
    let jitter = rand::random::<f64>();
    let agent = claimed.agent.as_ref().map_or("the agent", |agent| agent.name.as_str());
    commit_even_if_moved(engine, &claimed.session, "dispatcher", &[], |change, moved| match submitted {
        Ok(submitted) if moved => {
            abandon_if_over(change, submitted.state);
            Ok(())
        }
        Err(_) if moved => Ok(()),
        Ok(submitted) => record_submission(change, submitted, agent, !claimed.messages.is_empty(), &settings),
        Err(failure) => on_failed_handover(change, failure, goes_elsewhere, &settings, jitter),
    })
    .await?;
    if let Some(failure) = fault {
        probe_after(engine, claimed.session.run.agent_id, &failure).await;
    }
    Ok(())
}

/// Whether a session that was resumed soon after its pause waits for the work of the run before it.
async fn awaits_earlier_work(engine: &Engine, claimed: &ClaimedSession) -> Result<bool> {
    let session = &claimed.session;
    if session.run.state.is_none() || engine.clock.now() - session.clock.status_changed_at > EARLIER_WORK_TIME {
        return Ok(false);
    }
    let Ok(contact) = contact_of(claimed) else { return Ok(false) };
    let runtime = engine.runtimes.runtime(contact)?;
    let assignment = build_assignment(engine, contact.clone(), session).await?;
    // What cannot be read now is read again: a run that begins without its work would lose it.
    Ok(runtime.awaits_earlier_work(&assignment).await.unwrap_or(true))
}

async fn wait_for_earlier_work(engine: &Engine, session: &Session) -> Result<()> {
    commit_change(engine, session, "dispatcher", |change| {
        change.session.schedule.next_step_at = Some(change.now + EARLIER_WORK_INTERVAL);
        Ok(())
    })
    .await
}

/// A run that its agent has, or may fetch.
struct SubmittedRun {
    state: RunState,
    awaits_claim: bool,
}

/// Records a submitted run. With messages for the agent, which has the work now, the next step is due at once.
fn record_submission(
    change: &mut SessionChange,
    submitted: SubmittedRun,
    agent: &str,
    has_messages: bool,
    settings: &SessionSettings,
) -> Result<()> {
    record_run_or_offer(change, submitted, agent, settings)?;
    if has_messages && !change.session.is_offered() {
        change.session.schedule.next_step_at = Some(change.now);
    }
    Ok(())
}

fn record_run_or_offer(
    change: &mut SessionChange,
    submitted: SubmittedRun,
    agent: &str,
    settings: &SessionSettings,
) -> Result<()> {
    let SubmittedRun { state, awaits_claim } = submitted;
    if !change.session.is_offered() {
        return run::record_handover(change, state, &settings.poll);
    }
    if change.session.intent.is_some() {
        // The cancellation was requested meanwhile: the next step aborts the run.
        offer::await_cancellation(change, state);
        return Ok(());
    }
    if awaits_claim {
        let until = settings.offer_deadline(change.now);
        offer::record_offer(change, agent, state, until);
        return Ok(());
    }
    run::record_handover(change, state, &settings.poll)
}

/// The agent accepted the work of a session that a command has moved meanwhile. If the session has ended, the agent is
/// aborted next.
fn abandon_if_over(change: &mut SessionChange, state: RunState) {
    if change.session.status.is_over() {
        change.session.run.state = Some(state);
        change.schedule_cleanup();
    }
}

fn on_failed_handover(
    change: &mut SessionChange,
    failure: Failure,
    goes_elsewhere: bool,
    settings: &SessionSettings,
    jitter: f64,
) -> Result<()> {
    match change.session.intent.clone() {
        Some(intent) => run::apply_intent(change, intent, None),
        None if goes_elsewhere => {
            let queue_until = settings.queue_deadline_of(&change.session);
            offer::leave_agent(change, &failure, queue_until);
            Ok(())
        }
        None if offer::schedule_handover_retry(change, &failure, settings, jitter)? => Ok(()),
        None => run::fail_run(change, failure, None),
    }
}

/// Whether an offered session leaves an agent that it could not be given, because another one has capacity for it: no
/// work has begun. A failure that another attempt may mend is retried a few times first.
async fn goes_elsewhere(engine: &Engine, session: &Session, failure: Option<&Failure>) -> Result<bool> {
    let Some(failure) = failure else { return Ok(false) };
    let is_of_agent = failure.category.is_of_agent() || failure.category == Category::Policy;
    let is_retried = failure.category == Category::Transient && failure.code != AGENT_LOST;
    let is_due = !is_retried || session.run.attempts >= MAX_ATTEMPTS;
    if !session.is_offered() || !session.can_fail_over() || !is_of_agent || !is_due {
        return Ok(false);
    }
    has_other_agent(engine, session).await
}

/// Whether the agent may have the work already, though nothing is recorded. Then the work is handed over once more,
/// which changes nothing at the agent, to learn which run to abort before the session is paused or stopped.
pub(crate) fn may_have_begun(claimed: &ClaimedSession) -> bool {
    let run = &claimed.session.run;
    claimed.unfinished || run.auto_retries > 0 || run.unreachable_since.is_some()
}

/// Submits the work to the agent. The outer error is ours and transient: it counts as no attempt at the agent.
async fn submit_run(engine: &Engine, claimed: &ClaimedSession) -> Result<Result<SubmittedRun, Failure>> {
    let session = &claimed.session;
    let prepare = async {
        let contact = contact_of(claimed)?;
        let runtime: Arc<dyn AgentRuntime> = engine.runtimes.runtime(contact)?;
        Ok((runtime, build_assignment(engine, contact.clone(), session).await?))
    };
    match prepare.await {
        Ok((runtime, assignment)) => {
            let dispatched = runtime.dispatch(&assignment).await;
            Ok(dispatched.map(|state| {
                let awaits_claim = runtime.awaits_claim(&assignment) && !continues_run(&assignment, &state);
                SubmittedRun { state, awaits_claim }
            }))
        }
        Err(error) => Ok(Err(failure_of(session, error)?)),
    }
}

/// Whether a run goes on that its agent has already, such as after the answer to a question. Nobody claims it again.
fn continues_run(assignment: &Assignment, submitted: &RunState) -> bool {
    matches!(&assignment.continuation, Continuation::Resume { state, .. } if state == submitted)
}

/// The session's failure for an error of ours. An error of a dependency is none of the session's.
fn failure_of(session: &Session, error: Error) -> Result<Failure> {
    let failure = match error.code() {
        Code::DependencyUnavailable => return Err(error),
        Code::CheckpointNotFound => Failure::new(Category::User, "CHECKPOINT_GONE", error.detail()),
        Code::AgentUnavailable => Failure::transient("AGENT_UNAVAILABLE", error.detail()),
        _ => Failure::transient("INTERNAL", "Something went wrong on our side."),
    };
    tracing::error!(?error, session.id = %session.id, "a handover failed on our side");
    Ok(failure)
}
