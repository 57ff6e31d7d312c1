//! What an observation changes: the session is paused, continues, ends, or leaves its agent.

use crate::{
    agents::contract::{Answer, Finish, Observation},
    engine::{agent_call::RunReport, interrupt},
    kernel::{
        actor::Actor,
        calendar::next_month,
        clock::Time,
        error::Result,
        failure::{AGENT_LOST, Category, Failure},
        id::{AgentId, MessageId},
    },
    sessions::{
        Intent, IntentVerb,
        change::SessionChange,
        policy::ObservationPolicy,
        services::SessionSettings,
        status::PauseReason,
        store::ClaimedSession,
        transitions::{
            collection, offer,
            run::{self, NextAction},
            wait,
        },
    },
};

/// An observation that is about to be written, with what else was read from the agent.
pub(crate) struct ObservedRun<'a> {
    pub(crate) claimed: &'a ClaimedSession,
    pub(crate) settings: &'a SessionSettings,
    pub(crate) policy: &'a ObservationPolicy,
    /// The agent had to be aborted, to pause the session.
    pub(crate) must_abort: bool,
    pub(crate) turns: i32,
    pub(crate) report: RunReport,
    /// The run completed without any work or word of its agent.
    pub(crate) is_silent: bool,
    pub(crate) jitter: f64,
    /// The answer to the question of the agent, if it needs no person.
    pub(crate) answer: Option<Answer>,
    /// A failed run continues at another agent.
    pub(crate) goes_elsewhere: bool,
    /// The agent that lost the work, once that is decided.
    pub(crate) lost: Option<AgentId>,
}

impl ObservedRun<'_> {
    pub(crate) fn apply(&mut self, change: &mut SessionChange, observation: Observation) -> Result<()> {
        // A message makes the session due: the agent gets it before the end of the run is believed.
        let is_due_again = change.session.schedule.next_step_at != self.claimed.session.schedule.next_step_at;
        let has_new_message = change.session.intent.is_none() && is_due_again;
        let next = run::evaluate_observation(change, observation, self.policy)?;
        if has_new_message {
            change.session.schedule.next_step_at = Some(change.now);
        }
        self.report.add_events(change)?;
        match next {
            // The stop of the session was requested meanwhile: the next step carries it out, and no pause precedes it.
            NextAction::Ask(_) | NextAction::PauseUntil { .. } | NextAction::Continue
                if change.session.is_stopping() =>
            {
                Ok(())
            }
            NextAction::Ask(question) => {
                self.warn_of_unread_work(change);
                match self.answer.take() {
                    Some(answer) => wait::answer_at_once(change, MessageId::new(), answer),
                    None => run::pause_with_question(change, &question, self.report.work.take())?,
                }
                Ok(())
            }
            // The agent works on and is metered; the next step aborts it again.
            NextAction::PauseUntil { .. } | NextAction::Continue if self.report.aborted.is_err() => Ok(()),
            NextAction::PauseUntil { message, resume_at } => {
                self.pause_or_continue(change, Some(system_pause(PauseReason::RateLimit, message, resume_at)))
            }
            NextAction::Continue => {
                let quota_pause = self.claimed.out_of_tokens.then(|| quota_pause(change.now));
                self.pause_or_continue(change, quota_pause)
            }
            NextAction::End(finish) => self.end(change, finish, has_new_message),
        }
    }

    /// Pauses the session if `pause` or a person requests it, else records the turn that ended.
    fn pause_or_continue(&mut self, change: &mut SessionChange, pause: Option<Intent>) -> Result<()> {
        self.warn_of_unread_work(change);
        let work = self.report.work.take();
        // A requested pause lasts until a person ends it, not only until the limit does.
        let requested = change.session.intent.clone().filter(|_| self.must_abort);
        if let Some(intent) = requested.or(pause) {
            return run::apply_intent(change, intent, work);
        }
        if let Some(work) = work {
            run::checkpoint_turn(change, self.turns, work);
        }
        Ok(())
    }

    fn end(&mut self, change: &mut SessionChange, finish: Finish, has_new_message: bool) -> Result<()> {
        match finish {
            Finish::Completed { .. } | Finish::Partial { .. } if has_new_message => Ok(()),
            // The agent lost the work. If the move is interrupted, the next step finds that again.
            Finish::Failed(failure) if failure.code == AGENT_LOST && change.session.can_fail_over() => {
                self.lost = change.session.run.agent_id;
                change.session.schedule.next_step_at = Some(change.now);
                Ok(())
            }
            Finish::Failed(failure) if self.goes_elsewhere => {
                self.lost = change.session.run.agent_id;
                offer::record_failed_trial(change, &failure);
                Ok(())
            }
            finish => self.finish(change, finish),
        }
    }

    /// Ends the run with its work. Work that cannot be read is read again, a few times.
    fn finish(&mut self, change: &mut SessionChange, finish: Finish) -> Result<()> {
        let retry = self.settings.retry;
        let finish = if self.is_silent { Finish::Failed(no_output()) } else { finish };
        match self.report.unread.take() {
            None => run::finish_run(change, finish, self.report.work.take(), &retry, self.jitter),
            // The work of a run that failed is read again after its end.
            Some(unread) if matches!(finish, Finish::Failed(_)) => {
                collection::add_unread_warning(change, &unread);
                run::finish_run(change, finish, None, &retry, self.jitter)?;
                if change.session.status.is_over() {
                    run::schedule_abort_retry(change, interrupt::ABORT_RETRY_DELAY);
                }
                Ok(())
            }
            Some(unread) if collection::schedule_collection(change, &unread, &retry, self.jitter) => Ok(()),
            Some(unread) => collection::finish_unread(change, finish, &unread),
        }
    }

    fn warn_of_unread_work(&mut self, change: &mut SessionChange) {
        if let Some(unread) = self.report.unread.take() {
            collection::add_unread_warning(change, &unread);
        }
    }
}

fn no_output() -> Failure {
    let message = "The agent reports that it is done, but it said nothing, changed no file and made no artifact.";
    Failure::new(Category::Agent, "NO_OUTPUT", message)
}

fn quota_pause(now: Time) -> Intent {
    system_pause(PauseReason::Quota, "the tenant's tokens of this month are spent".to_owned(), next_month(now))
}

/// A pause that the system requests, and that ends by itself.
fn system_pause(reason: PauseReason, message: String, resume_at: Time) -> Intent {
    Intent {
        verb: IntentVerb::Pause,
        reason: Some(message),
        pause_reason: Some(reason),
        resume_at: Some(resume_at),
        actor: Actor::system_part("observer"),
    }
}
