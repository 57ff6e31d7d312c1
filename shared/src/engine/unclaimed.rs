//! Runs that wait to be claimed by their agent: until when they wait, and what becomes of them after that.

use chrono::TimeDelta;

use crate::{
    agents::{
        contract::{Finish, Phase, RunState},
        eap::server,
    },
    engine::{
        agent_call::AgentCall, commit::commit_change, failover::move_to_another_agent, routing::has_other_agent,
        services::Engine,
    },
    kernel::{clock::Time, error::Result, failure::AGENT_LOST},
    sessions::{
        Session,
        change::SessionChange,
        store::ClaimedSession,
        transitions::{offer, run},
    },
};

/// After which time a withdrawal that failed is tried again.
const WITHDRAWAL_RETRY_DELAY: TimeDelta = TimeDelta::seconds(1);

/// Whether a phase shows that nobody works on the run: it waits to be claimed, or it was only offered and its task is
/// no longer there to be claimed.
pub(crate) fn is_unclaimed(session: &Session, call: &AgentCall, phase: &Phase) -> bool {
    match phase {
        Phase::Starting => call.runtime.awaits_claim(&call.assignment),
        Phase::Finished(Finish::Aborted) => session.is_offered(),
        Phase::Finished(Finish::Failed(failure)) => session.is_offered() && failure.code == AGENT_LOST,
        _ => false,
    }
}

/// A step of a run that nobody works on.
pub(crate) struct UnclaimedRun<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) claimed: &'a ClaimedSession,
    pub(crate) call: AgentCall,
    pub(crate) state: RunState,
    /// Whether the agent may still claim it.
    pub(crate) is_claimable: bool,
}

impl UnclaimedRun<'_> {
    fn session(&self) -> &Session {
        &self.claimed.session
    }

    async fn commit(&self, decide: impl FnOnce(&mut SessionChange) -> Result<()>) -> Result<()> {
        commit_change(self.engine, self.session(), "observer", decide).await
    }

    async fn observe_again_at(&self, at: Time) -> Result<()> {
        self.commit(|change| {
            change.session.schedule.next_step_at = Some(at);
            Ok(())
        })
        .await
    }

    /// Until when the agent may claim the run. Work that continues has no offer: its time begins when it is first seen
    /// to wait.
    fn deadline(&self, now: Time) -> Time {
        let session = self.session();
        let since = session.run.unreachable_since.unwrap_or(now);
        session.run.offered_until.unwrap_or_else(|| self.engine.session_settings.offer_deadline(since))
    }

    /// Waits on, or withdraws the run from the agent when its time is over.
    pub(crate) async fn run_step(self) -> Result<()> {
        let now = self.engine.clock.now();
        let deadline = self.deadline(now);
        if self.is_claimable && now < deadline {
            return self.wait_on(deadline).await;
        }
        if !self.session().is_offered() && !self.may_move().await? {
            return self.degrade().await;
        }
        if self.is_claimable {
            match self.call.runtime.withdraw(&self.call.assignment, &self.call.state).await {
                Ok(true) => {}
                // It was claimed at the last moment: the next step finds it at work.
                Ok(false) => return self.observe_again_at(now).await,
                Err(_) => return self.observe_again_at(now + WITHDRAWAL_RETRY_DELAY).await,
            }
        }
        self.leave_agent(now).await
    }

    async fn may_move(&self) -> Result<bool> {
        Ok(self.session().can_fail_over() && has_other_agent(self.engine, self.session()).await?)
    }

    async fn wait_on(&self, deadline: Time) -> Result<()> {
        let poll = self.engine.session_settings.poll;
        self.commit(|change| {
            change.session.run.state = Some(self.state.clone());
            if change.session.is_offered() {
                change.session.schedule.next_step_at = Some(deadline);
            } else {
                change.session.run.unreachable_since.get_or_insert(change.now);
                run::schedule_observation(change, false, &poll);
            }
            Ok(())
        })
        .await
    }

    /// Work that continues at this agent, and can go nowhere else, waits for it.
    async fn degrade(&self) -> Result<()> {
        let poll = self.engine.session_settings.poll;
        self.record_ignored().await?;
        self.commit(|change| offer::record_unclaimed(change, &poll)).await
    }

    async fn leave_agent(&self, now: Time) -> Result<()> {
        let counts = self.is_claimable && self.record_ignored().await?;
        let agent = self.call.assignment.agent.clone();
        let settings = self.engine.session_settings;
        let is_offered = self.session().is_offered();
        self.commit(|change| {
            let queue_until = settings.queue_deadline_of(&change.session);
            if !is_offered {
                offer::record_agent_failure(change, counts);
                change.session.schedule.next_step_at = Some(now);
            } else if self.is_claimable {
                offer::withdraw_unclaimed(change, &agent.name, counts, queue_until);
            } else {
                offer::withdraw_from_lost(change, queue_until);
            }
            Ok(())
        })
        .await?;
        if is_offered {
            return Ok(());
        }
        // If the move is interrupted, the next step finds the agent lost.
        move_to_another_agent(self.engine, self.session().key(), agent.id).await
    }

    async fn record_ignored(&self) -> Result<bool> {
        let agent = self.call.assignment.agent.id;
        server::claims::record_ignored_offer(&self.engine.db, agent, self.engine.clock.now()).await
    }
}
