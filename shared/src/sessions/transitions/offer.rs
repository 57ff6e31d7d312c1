//! What an offer changes: a queued session is offered to an agent, which claims it or lets it pass.

use chrono::TimeDelta;
use serde_json::json;

use crate::{
    agents::contract::RunState,
    kernel::{
        clock::Time,
        error::Result,
        failure::{AGENT_LOST, Category, Failure},
    },
};

use super::{
    super::{
        change::SessionChange,
        policy::{HANDOVER_PAUSE_MAX, MAX_ATTEMPTS, PollPolicy},
        services::SessionSettings,
        session::Handover,
        status::Status,
    },
    run,
};

/// The code with which an offer that was not claimed counts against its agent.
const OFFER_NOT_CLAIMED: &str = "OFFER_NOT_CLAIMED";

/// Offers a queued session to its agent: from now on it takes up its slot. The handover is due at once, and given up at
/// `until` if the agent cannot be reached.
pub fn offer_session(change: &mut SessionChange, until: Time) {
    change.session.run.handover.get_or_insert(Handover::Start);
    change.session.run.offered_until = Some(until);
    change.begin_run();
}

/// Records that the work waits at the agent, which has until then to claim it.
pub fn record_offer(change: &mut SessionChange, agent: &str, state: RunState, until: Time) {
    let run = &mut change.session.run;
    run.state = Some(state);
    run.offered_handover = run.handover.take();
    run.offered_until = Some(until);
    run.attempts = 0;
    run.unreachable_since = None;
    change.session.schedule.next_step_at = Some(until);
    let text = format!("Offered to {agent}, which has until {} UTC to claim it.", until.format("%H:%M:%S"));
    change.add_log(json!({"level": "info", "message": text}));
}

/// Records that the work was handed over to an agent whose session is to be cancelled: the next step aborts the run.
pub fn await_cancellation(change: &mut SessionChange, state: RunState) {
    let run = &mut change.session.run;
    run.state = Some(state);
    run.offered_handover = run.handover.take();
    run.unreachable_since = None;
    change.session.schedule.next_step_at = Some(change.now);
}

/// Records that a run which its agent let pass counts against the agent.
pub fn record_agent_failure(change: &mut SessionChange, counts: bool) {
    let agent = change.session.run.agent_id.filter(|_| counts);
    change.agent_failure = agent.map(|agent| (agent, OFFER_NOT_CLAIMED.to_owned()));
}

/// Records that the agent does not claim the work that continues at it, and that goes nowhere else.
pub fn record_unclaimed(change: &mut SessionChange, policy: &PollPolicy) -> Result<()> {
    if change.session.status == Status::Running {
        change.transition_to(Status::Degraded, "the agent does not claim it")?;
        let text = "The agent does not claim the session; it goes on when the agent does.";
        change.add_log(json!({"level": "warning", "message": text, "code": OFFER_NOT_CLAIMED}));
    }
    run::schedule_observation(change, false, policy);
    Ok(())
}

/// Records that an agent which has not proven itself yet failed. The session goes to another agent next; if that is
/// interrupted, the next step finds the failure again.
pub fn record_failed_trial(change: &mut SessionChange, failure: &Failure) {
    let agent = change.session.run.agent_id;
    change.agent_failure = agent.map(|agent| (agent, failure.code.clone()));
    let text = format!("{} The agent is on probation; another one gets the session.", failure.message);
    change.add_log(json!({"level": "warning", "message": text, "code": failure.code}));
    change.session.schedule.next_step_at = Some(change.now);
}

/// Withdraws an offer that was not claimed in time. `counts`: it counts against the agent.
pub fn withdraw_unclaimed(change: &mut SessionChange, agent: &str, counts: bool, queue_until: Time) {
    record_agent_failure(change, counts);
    let text = format!("{agent} did not claim the session in time; it waits for an agent again.");
    change.add_log(json!({"level": "warning", "message": text, "code": OFFER_NOT_CLAIMED}));
    withdraw_offer(change, queue_until);
}

/// Withdraws an offer whose agent can no longer take it.
pub fn withdraw_from_lost(change: &mut SessionChange, queue_until: Time) {
    let text = "The agent was lost before it took the session, which waits for an agent again.";
    change.add_log(json!({"level": "warning", "message": text, "code": AGENT_LOST}));
    withdraw_offer(change, queue_until);
}

/// Has an offered session that its agent could not be given, and that names none, wait for another agent.
pub fn leave_agent(change: &mut SessionChange, failure: &Failure, queue_until: Time) {
    let left = change.session.run.agent_id;
    // A server that does not answer says nothing about the work.
    if failure.category.is_of_agent() && !failure.is_server_fault() {
        change.agent_failure = left.map(|agent| (agent, failure.code.clone()));
    }
    let text = format!("{} No work has begun; the session goes to another agent.", failure.message);
    change.add_log(json!({"level": "warning", "message": text, "code": failure.code}));
    withdraw_offer(change, queue_until);
    change.session.run.lost_agent_id = left;
}

/// An observation shows that the agent has claimed an offered session: it runs from now on.
pub fn accept_claim(change: &mut SessionChange) -> Result<()> {
    let resumed = matches!(change.session.run.offered_handover, Some(Handover::Resume { .. }));
    change.transition_to(Status::Running, "claimed by its agent")?;
    run::begin_work(change, resumed);
    Ok(())
}

/// Withdraws the offer of a session that stays in the queue, until then at most. What was handed over is restored.
pub fn withdraw_offer(change: &mut SessionChange, queue_until: Time) {
    let restored = change.session.run.offered_handover.take();
    change.session.run.end_offer();
    (change.frees_slot, change.closes_tasks) = (true, true);
    let session = &mut change.session;
    session.run.handover = restored.or(session.run.handover.take());
    session.run.unreachable_since = None;
    session.run.attempts = 0;
    session.schedule.next_step_at = Some(queue_until);
    if !matches!(session.run.handover, Some(Handover::Resume { .. })) {
        session.run.state = None;
        if session.is_routed() {
            session.run.agent_id = None;
        }
    }
}

/// Schedules another attempt at a handover, until the agent has been out of reach for so long that it counts as
/// offline. Returns whether it did.
pub fn schedule_handover_retry(
    change: &mut SessionChange,
    failure: &Failure,
    settings: &SessionSettings,
    jitter: f64,
) -> Result<bool> {
    let run = &mut change.session.run;
    let offline = TimeDelta::from_std(settings.poll.agent_offline).unwrap_or(TimeDelta::MAX);
    let until = *run.unreachable_since.get_or_insert(change.now) + offline;
    if failure.category != Category::Transient || failure.code == AGENT_LOST || change.now >= until {
        return Ok(false);
    }
    run.attempts += 1;
    let attempts = run.attempts;
    if run.offered_until.is_some() {
        run.offered_until = Some(until);
    }
    let pause = settings.retry.jittered_delay(attempts, jitter).min(HANDOVER_PAUSE_MAX);
    if attempts <= MAX_ATTEMPTS {
        let text = format!("{} Trying again until {} UTC.", failure.message, until.format("%H:%M:%S"));
        change.add_log(json!({"level": "warning", "message": text, "code": failure.code}));
    }
    if change.session.status == Status::Running {
        change.transition_to(Status::Degraded, &failure.code)?;
    }
    let due = change.now + TimeDelta::from_std(pause).unwrap_or_default();
    change.session.schedule.next_step_at = Some(due.min(until));
    Ok(true)
}
