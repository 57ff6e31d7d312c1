//! What the steps of a run change: admission, handover, observation, failure, end.

use chrono::TimeDelta;
use serde_json::json;

use crate::{
    agents::contract::{Finish, Observation, Phase, Question, QuestionKind, RunOutput, RunState},
    events::log::EventType,
    kernel::{
        actor::{Actor, ActorKind},
        backoff::RetryPolicy,
        clock::Time,
        error::Result,
        failure::{AGENT_LOST, Category, Failure},
        id::AgentId,
        text,
    },
};

use super::super::{
    change::{CheckpointCause, SessionChange},
    outcome::Outcome,
    policy::{MAX_ATTEMPTS, ObservationPolicy, PollPolicy},
    session::{Handover, Intent, IntentVerb, Session},
    status::{PauseReason, Status},
};

use super::{metering::meter_usage, transcript::record_transcript};

/// Moves a session whose agent is lost to another agent, which continues from the last checkpoint in a new run.
pub fn move_to_agent(change: &mut SessionChange, agent: AgentId) -> Result<()> {
    if change.session.status == Status::Running {
        change.transition_to(Status::Degraded, "the agent was lost")?;
    }
    let text = "The agent was lost; another continues from the last checkpoint.";
    change.add_log(json!({"level": "warning", "message": text, "code": AGENT_LOST}));
    let run = &mut change.session.run;
    run.lost_agent_id = run.agent_id.replace(agent);
    run.state = None;
    change.hand_over_from_checkpoint();
    change.begin_run();
    Ok(())
}

/// Begins the work that the agent has: the first checkpoint of the run.
pub(super) fn begin_work(change: &mut SessionChange, resumed: bool) {
    if !resumed {
        change.session.run.turns_with_changes = 0;
    }
    change.checkpoint_with(CheckpointCause::Dispatch, None);
}

/// Records that the agent accepted the work: an offered session runs from now on.
pub fn record_handover(change: &mut SessionChange, state: RunState, policy: &PollPolicy) -> Result<()> {
    if change.session.is_offered() {
        change.transition_to(Status::Running, "accepted by its agent")?;
    }
    let run = &mut change.session.run;
    let resumed = matches!(run.handover, Some(Handover::Resume { .. }));
    run.state = Some(state);
    run.handover = None;
    run.attempts = 0;
    run.unreachable_since = None;
    begin_work(change, resumed);
    schedule_observation(change, true, policy);
    Ok(())
}

/// The action that an observation calls for, besides being recorded.
#[derive(Clone, Debug, PartialEq)]
pub enum NextAction {
    /// Observe again later.
    Continue,
    /// Checkpoint, then pause the session with this question.
    Ask(Question),
    /// Abort the agent's run and pause the session until then.
    PauseUntil { message: String, resume_at: Time },
    /// The run has ended.
    End(Finish),
}

/// Whether what a paused agent shows withdraws its question: its work has ended. A failure of the moment does not; the
/// next run meets it.
pub fn withdraws_question(phase: &Phase) -> bool {
    match phase {
        Phase::Finished(Finish::Failed(failure)) => failure.category != Category::Transient,
        Phase::Finished(Finish::Completed { .. } | Finish::Partial { .. }) => true,
        _ => false,
    }
}

/// Records the transcript and the usage of an observation, which has no secrets. Returns whether there was anything
/// new.
pub fn record_observation(change: &mut SessionChange, observation: Observation, policy: &ObservationPolicy) -> bool {
    let agent = agent_actor(change);
    let mut is_new = !observation.transcript.is_empty();
    record_transcript(change, &agent, observation.transcript, policy.max_events);
    is_new |= meter_usage(change, agent, observation.usage_scope, observation.usage, policy.usage_bounds.as_ref());
    change.session.run.state = Some(observation.state);
    is_new
}

/// Records an observation, schedules the next, and returns what the observation calls for.
pub fn evaluate_observation(
    change: &mut SessionChange,
    mut observation: Observation,
    policy: &ObservationPolicy,
) -> Result<NextAction> {
    let phase = std::mem::replace(&mut observation.phase, Phase::Working);
    let mut is_new = record_observation(change, observation, policy);
    change.session.run.unreachable_since = None;
    let is_there = phase != Phase::Starting;
    if change.session.status == Status::Degraded && change.session.run.handover.is_none() && is_there {
        change.transition_to(Status::Running, "the agent answers again")?;
        is_new = true;
    }
    let next = match phase {
        Phase::Starting | Phase::Working => {
            change.session.run.attempts = 0;
            NextAction::Continue
        }
        Phase::Waiting(question) => NextAction::Ask(question),
        Phase::Limited { message, resume_at } => NextAction::PauseUntil { message, resume_at },
        Phase::Finished(finish) => NextAction::End(finish),
    };
    schedule_observation(change, is_new, &policy.poll);
    Ok(next)
}

/// Schedules the next observation: soon after something new, else after ever longer pauses, and never past the
/// deadline.
pub fn schedule_observation(change: &mut SessionChange, is_new: bool, policy: &PollPolicy) {
    let shortest = i32::try_from(policy.interval_min.as_millis()).unwrap_or(i32::MAX);
    let longest = i32::try_from(policy.interval_max.as_millis()).unwrap_or(i32::MAX);
    let last = change.session.schedule.poll_interval_ms;
    let interval = if is_new || last < shortest { shortest } else { last.saturating_add(last / 2).min(longest) };
    let due = change.now + TimeDelta::milliseconds(interval.into());
    let deadline = change.session.deadline();
    change.session.schedule.poll_interval_ms = interval;
    change.session.schedule.next_step_at = Some(deadline.map_or(due, |deadline| due.min(deadline.max(change.now))));
}

/// Pauses the session with the agent's question, which has no secrets.
pub fn pause_with_question(change: &mut SessionChange, question: &Question, work: Option<RunOutput>) -> Result<()> {
    let payload = text::without_nul(serde_json::to_value(question)?);
    let question: Question = serde_json::from_value(payload.clone())?;
    let agent = agent_actor(change);
    let reason = match question.kind {
        QuestionKind::Approval => PauseReason::Approval,
        QuestionKind::Input => PauseReason::Input,
        QuestionKind::Auth => PauseReason::Auth,
        QuestionKind::Sessions => PauseReason::Dependency,
    };
    change.checkpoint_with(CheckpointCause::Pause, work);
    change.add_redacted_event(agent, EventType::Question, payload);
    pause_for(change, reason, "the agent asks", None)?;
    if question.kind == QuestionKind::Sessions {
        // Nobody answers it: the next step reads how far the sessions are.
        change.session.schedule.next_step_at = Some(change.now);
    }
    change.session.pause.question = Some(question);
    Ok(())
}

/// Pauses the session, whose agent is idle already.
fn pause_for(change: &mut SessionChange, reason: PauseReason, why: &str, resume_at: Option<Time>) -> Result<()> {
    change.transition_to(Status::Paused, why)?;
    let session = &mut change.session;
    session.pause.reason = Some(reason);
    session.pause.suspended &= reason == PauseReason::Maintenance;
    session.pause.resume_at = resume_at;
    session.schedule.next_step_at = resume_at;
    session.intent = None;
    if let Some(event) = change.events.last_mut().filter(|event| event.kind == EventType::StatusChanged) {
        event.payload["pause_reason"] = json!(reason);
    }
    Ok(())
}

/// Carries out a requested pause or stop, now that the agent is idle.
pub fn apply_intent(change: &mut SessionChange, intent: Intent, work: Option<RunOutput>) -> Result<()> {
    change.by = intent.actor.into();
    match intent.verb {
        IntentVerb::Pause => {
            change.checkpoint_with(CheckpointCause::Pause, work);
            let reason = intent.pause_reason.unwrap_or(PauseReason::Manual);
            pause_for(change, reason, intent.reason.as_deref().unwrap_or("pause"), intent.resume_at)
        }
        IntentVerb::Stop => {
            change.checkpoint_with(CheckpointCause::Stop, work);
            let is_offered = change.session.is_offered();
            let to = if is_offered { Status::Cancelled } else { Status::Stopped };
            change.transition_to(to, intent.reason.as_deref().unwrap_or(if is_offered { "cancel" } else { "stop" }))?;
            change.schedule_nothing();
            Ok(())
        }
    }
}

/// Ends a run that exceeded its duration, and whose agent is idle already.
pub fn time_out(change: &mut SessionChange, work: Option<RunOutput>) -> Result<()> {
    change.checkpoint_with(CheckpointCause::Stop, work);
    change.transition_to(Status::Timeout, "max_duration_seconds")?;
    let message = format!("The session ran for its {} seconds.", change.session.spec.max_duration_seconds);
    end_with_failure(change, Failure::new(Category::Timeout, "MAX_DURATION", message));
    Ok(())
}

/// Ends a session that waited in the queue for too long.
pub fn time_out_in_queue(change: &mut SessionChange) -> Result<()> {
    change.transition_to(Status::Timeout, "waited too long")?;
    let failure = Failure::new(Category::Timeout, "QUEUE_LIMIT", "The session waited too long for its turn.");
    change.record_outcome(Outcome { error: Some(failure), ..Outcome::default() });
    change.schedule_cleanup();
    Ok(())
}

/// Ends a run that finished by itself. A transient failure is retried from the last checkpoint, three times at most.
pub fn finish_run(
    change: &mut SessionChange,
    finish: Finish,
    work: Option<RunOutput>,
    policy: &RetryPolicy,
    jitter: f64,
) -> Result<()> {
    change.session.run.unreachable_since = None;
    if change.session.pause.question.is_some() {
        change.add_log(json!({"level": "info", "message": "The agent ended its work, so its question is withdrawn."}));
    }
    match finish {
        Finish::Completed { result, success_rate, confidence_score } => {
            change.checkpoint_with(CheckpointCause::Turn, work);
            change.transition_to(Status::Completed, "the agent is done")?;
            end_with(change, Outcome { result: Some(result), error: None, success_rate, confidence_score });
        }
        Finish::Partial { result, success_rate, failure } => {
            change.checkpoint_with(CheckpointCause::Turn, work);
            change.transition_to(Status::PartiallyCompleted, "part of the work stands")?;
            end_with(change, Outcome { result: Some(result), error: failure, success_rate, confidence_score: None });
        }
        Finish::Failed(failure) if schedule_retry(change, &failure, policy, jitter)? => {
            if work.is_some() {
                change.checkpoint_with(CheckpointCause::Turn, work);
            }
            change.hand_over_from_checkpoint();
            change.session.run.number += 1;
            change.session.run.started_at = Some(change.now);
        }
        Finish::Failed(failure) => fail_run(change, failure, work)?,
        Finish::Aborted => {
            change.checkpoint_with(CheckpointCause::Stop, work);
            change.transition_to(Status::Stopped, "cancelled at the agent")?;
            let message = "Somebody cancelled the run at the agent itself.";
            end_with_failure(change, Failure::new(Category::Agent, "ABORTED", message));
        }
    }
    Ok(())
}

/// Fails a run for good.
pub fn fail_run(change: &mut SessionChange, failure: Failure, work: Option<RunOutput>) -> Result<()> {
    change.checkpoint_with(CheckpointCause::Stop, work);
    change.transition_to(Status::Failed, &failure.code)?;
    end_with_failure(change, failure);
    Ok(())
}

/// Records the outcome of a run whose agent is idle already.
fn end_with(change: &mut SessionChange, outcome: Outcome) {
    change.record_outcome(outcome);
    change.schedule_nothing();
}

fn end_with_failure(change: &mut SessionChange, failure: Failure) {
    end_with(change, Outcome { error: Some(failure), ..Outcome::default() });
}

/// Records that the agent could not be reached. Returns whether it has been unreachable for too long.
pub fn record_unreachable(change: &mut SessionChange, failure: &Failure, policy: &PollPolicy) -> Result<bool> {
    change.session.run.unreachable_since.get_or_insert(change.now);
    change.session.run.attempts += 1;
    if change.session.run.attempts >= 2 && change.session.status == Status::Running {
        change.transition_to(Status::Degraded, "the agent does not answer")?;
        change.add_log(json!({"level": "warning", "message": failure.message}));
    }
    schedule_observation(change, false, policy);
    Ok(is_unreachable_for_good(&change.session, change.now, policy))
}

/// Whether the agent of a session has been unreachable for too long.
pub fn is_unreachable_for_good(session: &Session, now: Time, policy: &PollPolicy) -> bool {
    let offline = TimeDelta::from_std(policy.agent_offline).unwrap_or(TimeDelta::MAX);
    session.run.unreachable_since.is_some_and(|since| now - since >= offline)
}

/// Schedules another attempt if the failure is transient and attempts are left. Returns whether it did.
pub fn schedule_retry(
    change: &mut SessionChange,
    failure: &Failure,
    policy: &RetryPolicy,
    jitter: f64,
) -> Result<bool> {
    if failure.category != Category::Transient || change.session.run.auto_retries >= MAX_ATTEMPTS {
        return Ok(false);
    }
    change.session.run.auto_retries += 1;
    let pause = policy.jittered_delay(change.session.run.auto_retries, jitter);
    let text = format!("{} Trying again in {:.1} s.", failure.message, pause.as_secs_f64());
    change.add_log(json!({"level": "warning", "message": text, "code": failure.code}));
    if change.session.status == Status::Running {
        change.transition_to(Status::Degraded, &failure.code)?;
    }
    change.session.schedule.next_step_at = Some(change.now + TimeDelta::from_std(pause).unwrap_or_default());
    Ok(true)
}

/// The session has ended, but its agent may still work: the run is aborted again after this time.
pub fn schedule_abort_retry(change: &mut SessionChange, delay: TimeDelta) {
    change.session.run.attempts = 0;
    change.session.schedule.next_step_at = change.session.run.state.is_some().then(|| change.now + delay);
}

/// Takes a checkpoint after a turn of the agent that changed files.
pub fn checkpoint_turn(change: &mut SessionChange, turns_with_changes: i32, work: RunOutput) {
    change.session.run.turns_with_changes = turns_with_changes;
    change.checkpoint_with(CheckpointCause::Turn, Some(work));
}

fn agent_actor(change: &SessionChange) -> Actor {
    let id = change.session.run.agent_id.map(|id| id.to_string()).unwrap_or_default();
    Actor { kind: ActorKind::Agent, id, name: "agent".to_owned() }
}
