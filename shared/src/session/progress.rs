//! What the steps of a run change: admission, handover, observation, failure, end. Pure; `dispatch.rs` and `observe.rs`
//! do the talking.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::{
    auth::{Actor, ActorKind},
    clock::Time,
    error::Result,
    event::EventType,
    id::AgentId,
    redact,
    runtime::{Entry, Finish, Observation, Phase, Question, QuestionKind, RunState, Work},
    text,
};

pub use super::pace::{MAX_ATTEMPTS, Pace};
use super::{
    Handover, Intent, IntentVerb,
    change::{Cause, Change},
    outcome::{AGENT_LOST, Category, Failure, Outcome},
    pace::back_off,
    status::{PauseReason, Status},
    usage::{Usage, usd},
    verbs,
};

/// A queued session got its slot: it runs from now on, and the handover is due.
pub fn admit(change: &mut Change) -> Result<()> {
    change.go(Status::Running, "admitted")?;
    change.session.handover.get_or_insert(Handover::Start);
    begin_run(change);
    Ok(())
}

/// A new run begins: its number makes the ids that the agent sees.
pub fn begin_run(change: &mut Change) {
    let (session, now) = (&mut change.session, change.now);
    session.run += 1;
    session.run_started_at = Some(now);
    session.next_step_at = Some(now);
    session.attempts = 0;
    session.auto_retries = 0;
    session.step_pause_ms = 0;
    session.unreachable_since = None;
}

/// Its agent is lost with the work: another goes on from the last checkpoint, in a run of its own.
pub fn move_to(change: &mut Change, agent: AgentId) -> Result<()> {
    if change.session.status == Status::Running {
        change.go(Status::Degraded, "the agent was lost")?;
    }
    let text = "The agent was lost; another goes on from the last checkpoint.";
    change.event(EventType::Log, json!({"level": "warning", "message": text, "code": AGENT_LOST}));
    let session = &mut change.session;
    session.lost_agent_id = session.agent_id.replace(agent);
    session.run_state = None;
    let (session_id, sequence) = (session.id, session.last_checkpoint);
    session.handover = Some(if sequence > 0 { Handover::Checkpoint { session_id, sequence } } else { Handover::Start });
    begin_run(change);
    Ok(())
}

/// The agent took the work.
pub fn handed_over(change: &mut Change, state: RunState, pace: &Pace) {
    let resumed = matches!(change.session.handover, Some(Handover::Resume { .. }));
    let session = &mut change.session;
    session.run_state = Some(state);
    session.handover = None;
    session.attempts = 0;
    session.unreachable_since = None;
    if !resumed {
        session.turns_with_changes = 0;
    }
    change.checkpoint(Cause::Dispatch, None);
    next_look(change, true, pace);
}

/// What an observation means beyond what it tells: the step must act on it before it is written.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Look again later.
    Continue,
    /// Checkpoint, then hold the session with this question.
    Ask(Question),
    /// Abort the agent and hold the session until then.
    Rest { message: String, resume_at: Time },
    /// It is over.
    End(Finish),
}

/// Puts on record what an observation tells of the work, and meters it. Returns whether there was anything new.
pub fn recorded(change: &mut Change, observation: Observation) -> bool {
    let agent = agent_actor(change);
    let mut news = !observation.transcript.is_empty();
    for entry in observation.transcript {
        let (kind, payload) = told(entry);
        change.event_by(agent.clone(), kind, payload);
    }
    news |= meter(change, observation.usage_scope, observation.usage, &agent);
    change.session.run_state = Some(observation.state);
    news
}

/// Takes in what an observation showed, except for its end.
pub fn observed(change: &mut Change, mut observation: Observation, pace: &Pace) -> Result<Next> {
    let agent = agent_actor(change);
    let phase = std::mem::replace(&mut observation.phase, Phase::Working);
    let mut news = recorded(change, observation);
    change.session.unreachable_since = None;
    if change.session.status == Status::Degraded && change.session.handover.is_none() {
        change.go(Status::Running, "the agent answers again")?;
        news = true;
    }
    let next = match phase {
        Phase::Starting | Phase::Working => {
            change.session.attempts = 0;
            Next::Continue
        }
        Phase::Retrying { attempt, message } => {
            let attempt = i32::try_from(attempt).unwrap_or(i32::MAX);
            if attempt != change.session.attempts {
                change.session.attempts = attempt;
                let text = format!("The provider failed; the agent tries again (attempt {attempt}): {message}");
                change.event_by(agent, EventType::Log, json!({"level": "warning", "message": text}));
            }
            Next::Continue
        }
        Phase::Waiting(question) => Next::Ask(question),
        Phase::Limited { message, resume_at } => Next::Rest { message, resume_at },
        Phase::Finished(finish) => Next::End(finish),
    };
    next_look(change, news, pace);
    Ok(next)
}

fn told(entry: Entry) -> (EventType, Value) {
    let kind = match &entry {
        Entry::Log { .. } => EventType::Log,
        Entry::Message { .. } => EventType::Message,
        Entry::Tool { .. } => EventType::Tool,
        Entry::FileChanged { .. } => EventType::FileChanged,
    };
    let mut payload = serde_json::to_value(entry).unwrap_or_default();
    if let Value::Object(map) = &mut payload {
        map.remove("type");
        map.retain(|_, value| !value.is_null());
    }
    (kind, payload)
}

fn meter(change: &mut Change, scope: String, seen: Usage, agent: &Actor) -> bool {
    let session = &mut change.session;
    let known = session.usage_by_scope.entry(scope).or_default();
    *known = known.highest(seen);
    let total = session.usage_by_scope.values().fold(Usage::default(), |sum, one| sum.plus(*one));
    if total == session.usage {
        return false;
    }
    let before = std::mem::replace(&mut session.usage, total);
    change.spent = Usage {
        tokens_input: change.spent.tokens_input + total.tokens_input - before.tokens_input,
        tokens_output: change.spent.tokens_output + total.tokens_output - before.tokens_output,
        tokens_reasoning: change.spent.tokens_reasoning + total.tokens_reasoning - before.tokens_reasoning,
        tokens_cached: change.spent.tokens_cached + total.tokens_cached - before.tokens_cached,
        cost_micros: change.spent.cost_micros + total.cost_micros - before.cost_micros,
    };
    let payload = json!({
        "tokens_input": total.tokens_input,
        "tokens_output": total.tokens_output,
        "tokens_reasoning": total.tokens_reasoning,
        "tokens_cached": total.tokens_cached,
        "cost_usd": usd(total.cost_micros),
    });
    change.event_by(agent.clone(), EventType::Usage, payload);
    true
}

/// Sets when the next look is due: soon after news, ever later without, and never past the deadline.
pub fn next_look(change: &mut Change, news: bool, pace: &Pace) {
    let shortest = i32::try_from(pace.shortest.as_millis()).unwrap_or(i32::MAX);
    let longest = i32::try_from(pace.longest.as_millis()).unwrap_or(i32::MAX);
    let session = &mut change.session;
    session.step_pause_ms = if news || session.step_pause_ms < shortest {
        shortest
    } else {
        session.step_pause_ms.saturating_add(session.step_pause_ms / 2).min(longest)
    };
    let look = change.now + TimeDelta::milliseconds(session.step_pause_ms.into());
    session.next_step_at = Some(session.deadline().map_or(look, |deadline| look.min(deadline.max(change.now))));
}

/// Holds the session with the agent's question.
pub fn ask(change: &mut Change, mut question: Question, work: Option<Work>) -> Result<()> {
    question.text = redact::owned(question.text);
    question.details = redact::masked(question.details);
    let payload = text::without_nul(serde_json::to_value(&question)?);
    let question: Question = serde_json::from_value(payload.clone())?;
    let agent = agent_actor(change);
    let reason = match question.kind {
        QuestionKind::Approval => PauseReason::Approval,
        QuestionKind::Input => PauseReason::Input,
        QuestionKind::Auth => PauseReason::Auth,
    };
    keep(change, Cause::Pause, work);
    change.event_by(agent, EventType::Question, payload);
    hold(change, reason, "the agent asks", None)?;
    change.session.pause_question = Some(question);
    Ok(())
}

/// Holds the session; the agent rests already.
pub fn hold(change: &mut Change, reason: PauseReason, why: &str, resume_at: Option<Time>) -> Result<()> {
    change.go(Status::Paused, why)?;
    let session = &mut change.session;
    session.pause_reason = Some(reason);
    session.suspended &= reason == PauseReason::Maintenance;
    session.resume_at = resume_at;
    session.next_step_at = resume_at;
    session.intent = None;
    if let Some(NewStatus(payload)) = change.events.last_mut().and_then(NewStatus::of) {
        payload["pause_reason"] = json!(reason);
    }
    Ok(())
}

struct NewStatus<'a>(&'a mut Value);

impl<'a> NewStatus<'a> {
    fn of(event: &'a mut crate::event::NewEvent) -> Option<Self> {
        (event.kind == EventType::StatusChanged).then_some(Self(&mut event.payload))
    }
}

/// Carries out what a person asked, now that the agent rests.
pub fn carry_out(change: &mut Change, intent: Intent, work: Option<Work>) -> Result<()> {
    change.by = intent.actor.into();
    match intent.verb {
        IntentVerb::Pause => {
            keep(change, Cause::Pause, work);
            let reason = intent.pause_reason.unwrap_or(PauseReason::Manual);
            hold(change, reason, intent.reason.as_deref().unwrap_or("pause"), intent.resume_at)
        }
        IntentVerb::Stop => {
            keep(change, Cause::Stop, work);
            change.go(Status::Stopped, intent.reason.as_deref().unwrap_or("stop"))?;
            change.session.next_step_at = None;
            Ok(())
        }
    }
}

/// The run exceeded its duration; the agent rests already.
pub fn time_out(change: &mut Change, work: Option<Work>) -> Result<()> {
    keep(change, Cause::Stop, work);
    change.go(Status::Timeout, "max_duration_seconds")?;
    let message = format!("The session ran for its {} seconds.", change.session.max_duration_seconds);
    let failure = Failure::new(Category::Timeout, "MAX_DURATION", message);
    close(change, Outcome { error: Some(failure), ..Outcome::default() });
    Ok(())
}

/// It waited in the queue for too long.
pub fn queue_limit(change: &mut Change) -> Result<()> {
    change.go(Status::Timeout, "waited too long")?;
    let failure = Failure::new(Category::Timeout, "QUEUE_LIMIT", "The session waited too long for its turn.");
    verbs::finish(change, Outcome { error: Some(failure), ..Outcome::default() });
    Ok(())
}

/// The run ended by itself. A failure of the moment is tried again from the last checkpoint, three times at most.
pub fn end(change: &mut Change, finish: Finish, work: Option<Work>, pace: &Pace, jitter: f64) -> Result<()> {
    change.session.unreachable_since = None;
    match finish {
        Finish::Completed { result, success_rate, confidence_score } => {
            keep(change, Cause::Turn, work);
            change.go(Status::Completed, "the agent is done")?;
            close(change, Outcome { result: Some(result), error: None, success_rate, confidence_score });
        }
        Finish::Partial { result, success_rate, failure } => {
            keep(change, Cause::Turn, work);
            change.go(Status::PartiallyCompleted, "part of the work stands")?;
            close(change, Outcome { result: Some(result), error: failure, success_rate, confidence_score: None });
        }
        Finish::Failed(failure) if try_again(change, &failure, pace, jitter)? => {
            if let Some(work) = work {
                change.checkpoint(Cause::Turn, Some(&work));
                change.work = Some(work);
            }
            let sequence = change.session.last_checkpoint;
            let session_id = change.session.id;
            change.session.handover = Some(Handover::Checkpoint { session_id, sequence });
            change.session.run += 1;
            change.session.run_started_at = Some(change.now);
        }
        Finish::Failed(failure) => fail(change, failure, work)?,
        Finish::Aborted => {
            keep(change, Cause::Stop, work);
            change.go(Status::Stopped, "called off at the agent")?;
            let failure = Failure::new(Category::Agent, "ABORTED", "Somebody called the run off at the agent itself.");
            close(change, Outcome { error: Some(failure), ..Outcome::default() });
        }
    }
    Ok(())
}

/// The run failed for good.
pub fn fail(change: &mut Change, failure: Failure, work: Option<Work>) -> Result<()> {
    keep(change, Cause::Stop, work);
    change.go(Status::Failed, &failure.code)?;
    close(change, Outcome { error: Some(failure), ..Outcome::default() });
    Ok(())
}

/// The agent could not be reached, so nothing is known of the run. Returns true when it has been given up.
pub fn unreachable(change: &mut Change, failure: &Failure, pace: &Pace) -> Result<bool> {
    let since = *change.session.unreachable_since.get_or_insert(change.now);
    change.session.attempts += 1;
    if change.session.attempts >= 2 && change.session.status == Status::Running {
        change.go(Status::Degraded, "the agent does not answer")?;
        change.event(EventType::Log, json!({"level": "warning", "message": failure.message}));
    }
    let offline = TimeDelta::from_std(pace.agent_offline).unwrap_or(TimeDelta::MAX);
    next_look(change, false, pace);
    Ok(change.now - since >= offline)
}

/// A handover that failed: tried again when it was of the moment, else the end. Returns whether it is tried again.
pub fn try_again(change: &mut Change, failure: &Failure, pace: &Pace, jitter: f64) -> Result<bool> {
    if failure.category != Category::Transient || change.session.auto_retries >= MAX_ATTEMPTS {
        return Ok(false);
    }
    change.session.auto_retries += 1;
    let pause = back_off(change.session.auto_retries, pace, jitter);
    let text = format!("{} Trying again in {:.1} s.", failure.message, pause.as_secs_f64());
    change.event(EventType::Log, json!({"level": "warning", "message": text, "code": failure.code}));
    if change.session.status == Status::Running {
        change.go(Status::Degraded, &failure.code)?;
    }
    change.session.next_step_at = Some(change.now + TimeDelta::from_std(pause).unwrap_or_default());
    Ok(true)
}

fn keep(change: &mut Change, cause: Cause, work: Option<Work>) {
    change.checkpoint(cause, work.as_ref());
    if work.is_some() {
        change.work = work;
    }
}

/// Writes the outcome of a run whose agent rests already.
fn close(change: &mut Change, outcome: Outcome) {
    verbs::finish(change, outcome);
    change.session.next_step_at = None;
}

/// The session is over, and its agent may be at work all the same: it is told to rest once it answers.
pub fn not_at_rest(change: &mut Change, again: TimeDelta) {
    change.session.attempts = 0;
    change.session.next_step_at = change.session.run_state.is_some().then(|| change.now + again);
}

/// A turn that changed files has ended: checkpoint it.
pub fn turn_ended(change: &mut Change, turns: i32, work: Work) {
    change.session.turns_with_changes = turns;
    change.checkpoint(Cause::Turn, Some(&work));
    change.work = Some(work);
}

fn agent_actor(change: &Change) -> Actor {
    let id = change.session.agent_id.map(|id| id.to_string()).unwrap_or_default();
    Actor { kind: ActorKind::Agent, id, name: "agent".to_owned() }
}
