//! The job `Observe`: one step of a session that is not waiting in the queue. Observes its agent, delivers the messages
//! of people, and acts on what the agent shows.

use crate::{
    agents::{
        contract::{Answer, Finish, Observation, Phase, UserMessage},
        registry,
    },
    engine::{
        agent_call::{AgentCall, RunReport, When},
        cleanup,
        commit::{commit_change, commit_with_artifacts, release_lease},
        exhaustion::run_without_agent,
        failover::move_to_another_agent,
        handover::may_have_begun,
        interrupt,
        lease::run_session_step,
        observed_run::ObservedRun,
        resume::change_by_capacity,
        routing::has_other_agent,
        server_probe::probe_after,
        services::Engine,
        session_wait::{find_answer, find_answer_to},
        unclaimed::{self, UnclaimedRun},
    },
    kernel::{
        actor::Actor,
        error::Result,
        failure::{AGENT_FAILED, AGENT_PROTOCOL, Category, Failure},
        id::{AgentId, MessageId},
    },
    platform::queue::job::JobOutcome,
    sessions::{
        Session, SessionKey,
        change::SessionChange,
        services::SessionSettings,
        status::Status,
        store::{self, ClaimedSession},
        transitions::{
            collection,
            commands::{self, CommandOutcome},
            offer, run, wait,
        },
    },
};

/// Runs the job `Observe` for a session: does whatever is due.
pub async fn observe(engine: &Engine, key: SessionKey) -> Result<JobOutcome> {
    run_session_step(
        engine,
        key,
        |claimed| async move { ObserveStep { engine, claimed: &claimed }.run_observation().await },
    )
    .await
}

/// One step of a claimed session.
struct ObserveStep<'a> {
    engine: &'a Engine,
    claimed: &'a ClaimedSession,
}

impl ObserveStep<'_> {
    async fn run_observation(&self) -> Result<()> {
        let session = self.session();
        if run_without_agent(self.engine, self.claimed).await? {
            return Ok(());
        }
        let may_be_interrupted = session.run.handover.is_none() || !may_have_begun(self.claimed);
        match session.status {
            Status::Running | Status::Degraded if session.intent.is_some() && may_be_interrupted => {
                interrupt::apply_intent(self.engine, self.claimed).await
            }
            Status::Running | Status::Degraded if session.run.handover.is_some() => self.leave_to_handover().await,
            Status::Running | Status::Degraded => self.observe_agent().await,
            Status::Paused if session.pause.question.is_some() => self.observe_paused().await,
            Status::Queued if session.is_offered() && session.intent.is_some() && may_be_interrupted => {
                interrupt::apply_intent(self.engine, self.claimed).await
            }
            Status::Queued if session.is_offered() && session.run.handover.is_some() => self.leave_to_handover().await,
            Status::Queued if session.is_offered() => self.observe_agent().await,
            Status::Queued => self.time_out_in_queue().await,
            Status::Paused => self.resume_if_due().await,
            Status::Pending => self.clear_schedule().await,
            _ => cleanup::run_cleanup_step(self.engine, self.claimed).await,
        }
    }

    fn session(&self) -> &Session {
        &self.claimed.session
    }

    fn settings(&self) -> &SessionSettings {
        &self.engine.session_settings
    }

    async fn commit(&self, decide: impl FnOnce(&mut SessionChange) -> Result<()>) -> Result<()> {
        commit_change(self.engine, self.session(), "observer", decide).await
    }

    async fn time_out_in_queue(&self) -> Result<()> {
        let settings = self.engine.session_settings;
        commit_change(self.engine, self.session(), "dispatcher", |change| {
            let queue_until = settings.queue_deadline_of(&change.session);
            if queue_until <= change.now {
                return run::time_out_in_queue(change);
            }
            change.session.schedule.next_step_at = Some(queue_until);
            Ok(())
        })
        .await
    }

    async fn clear_schedule(&self) -> Result<()> {
        self.commit(|change| {
            change.schedule_nothing();
            Ok(())
        })
        .await
    }

    /// The handover has a job of its own, which this write enqueues. A handover that was interrupted stays known as
    /// such, with the number of its attempts: this claim adds none.
    async fn leave_to_handover(&self) -> Result<()> {
        let before = &self.session().schedule;
        self.commit(|change| {
            let schedule = &mut change.session.schedule;
            schedule.lease_until = self.claimed.unfinished.then_some(change.now);
            schedule.failed_steps = before.failed_steps;
            schedule.interrupted_steps = before.interrupted_steps - i32::from(self.claimed.unfinished);
            Ok(())
        })
        .await
    }

    async fn observe_agent(&self) -> Result<()> {
        let Some(mut call) = AgentCall::of_claimed(self.engine, self.claimed).await? else {
            let failure = Failure::new(Category::Internal, "RUN_LOST", "The run left no trace.");
            return self.commit(|change| run::fail_run(change, failure, None)).await;
        };
        let is_over_time = interrupt::is_over_time(self.session(), self.engine.clock.now());
        if is_over_time && self.session().schedule.failed_steps > 0 {
            // The last look failed on our side: the time is up all the same.
            return interrupt::terminate(self.engine, self.session(), call, run::time_out).await;
        }
        let mut delivered = Vec::new();
        let is_offered = self.session().is_offered();
        let messages = if is_offered { &[] } else { self.claimed.messages.as_slice() };
        let observed = match deliver_messages(&mut call, messages, &mut delivered).await {
            Ok(()) => call.observe_run().await,
            Err(failure) => Err(failure),
        };
        match observed {
            Ok(observation) if !is_over_time && unclaimed::is_unclaimed(self.session(), &call, &observation.phase) => {
                let is_claimable = observation.phase == Phase::Starting;
                let (engine, claimed, state) = (self.engine, self.claimed, observation.state);
                UnclaimedRun { engine, claimed, call, state, is_claimable }.run_step().await
            }
            Ok(_) if is_offered => self.accept_claim().await,
            Err(_) if is_offered => self.observe_offer_again().await,
            Ok(observation) if !is_over_time || matches!(observation.phase, Phase::Finished(_)) => {
                self.apply_observation(call, observation, delivered).await
            }
            Err(failure) if !is_over_time => self.record_unreachable(call, failure, delivered).await,
            Ok(_) | Err(_) => interrupt::terminate(self.engine, self.session(), call, run::time_out).await,
        }
    }

    /// The agent has claimed what it was offered. The next step, which is due at once, reads what it did since.
    async fn accept_claim(&self) -> Result<()> {
        self.commit(|change| {
            offer::accept_claim(change)?;
            change.session.schedule.next_step_at = Some(change.now);
            Ok(())
        })
        .await
    }

    /// The task of an offer could not be read.
    async fn observe_offer_again(&self) -> Result<()> {
        let poll = self.settings().poll;
        self.commit(|change| {
            run::schedule_observation(change, false, &poll);
            Ok(())
        })
        .await
    }

    /// Writes what an observation showed, and does what it calls for.
    async fn apply_observation(
        &self,
        mut call: AgentCall,
        observation: Observation,
        delivered: Vec<MessageId>,
    ) -> Result<()> {
        call.state = observation.state.clone();
        let turns = i32::try_from(observation.turns_with_changes).unwrap_or(i32::MAX);
        let must_abort = self.must_abort(&observation.phase);
        let aborted = if must_abort { call.abort_run().await } else { Ok(()) };
        let stops = must_abort || matches!(observation.phase, Phase::Waiting(_) | Phase::Finished(_));
        let has_new_turn = turns > self.session().run.turns_with_changes;
        let collect = if stops || has_new_turn { When::Always } else { When::Never };
        let report = call.finish_with_agent(self.engine, aborted, When::Never, collect).await?;
        let artifacts = report.artifacts.clone();
        let is_silent = self.is_silent(&observation, &report).await?;
        let goes_elsewhere = self.goes_elsewhere(&observation.phase).await?;
        let (settings, jitter, lost) = (self.settings(), rand::random(), None);
        let policy = &settings.observation_policy(&call.assignment.agent);
        let mut observed = ObservedRun {
            claimed: self.claimed,
            settings,
            policy,
            must_abort,
            turns,
            report,
            is_silent,
            goes_elsewhere,
            answer: self.find_answer_to(&observation.phase).await?,
            jitter,
            lost,
        };
        commit_with_artifacts(self.engine, self.session(), "observer", &artifacts, |change| {
            change.delivered_messages = delivered;
            observed.apply(change, observation)
        })
        .await?;
        self.fail_over(observed.lost).await
    }

    /// Whether a run completed without any work or word of its agent.
    async fn is_silent(&self, observation: &Observation, report: &RunReport) -> Result<bool> {
        let produced_work = report.unread.is_some() || report.work.as_ref().is_some_and(|work| !work.is_empty());
        if produced_work || !observation.ends_without_words() {
            return Ok(false);
        }
        Ok(!store::has_agent_spoken(&self.engine.db, self.session().key()).await?)
    }

    /// The answer to what the agent waits for, if it is known already.
    async fn find_answer_to(&self, phase: &Phase) -> Result<Option<Answer>> {
        match phase {
            Phase::Waiting(question) => {
                find_answer_to(self.engine, self.session(), question, chrono::TimeDelta::zero()).await
            }
            _ => Ok(None),
        }
    }

    /// The agent of a session that waits for an answer reported something. Its result withdraws the question.
    async fn observe_paused(&self) -> Result<()> {
        let Some(call) = AgentCall::of_claimed(self.engine, self.claimed).await? else {
            return self.resume_if_due().await;
        };
        match call.observe_run().await {
            Ok(observation) if run::withdraws_question(&observation.phase) => {
                self.apply_observation(call, observation, Vec::new()).await
            }
            Ok(_) => self.resume_if_due().await,
            Err(failure) => {
                tracing::info!(failure.message, session.id = %self.session().id, "the agent of a question does not answer");
                self.resume_if_due().await
            }
        }
    }

    /// Whether the session goes to another agent, once: its agent failed, and has not proven itself yet.
    async fn goes_elsewhere(&self, phase: &Phase) -> Result<bool> {
        let session = self.session();
        let (Phase::Finished(Finish::Failed(failure)), Some(agent)) = (phase, session.run.agent_id) else {
            return Ok(false);
        };
        if failure.code != AGENT_FAILED || !session.can_fail_over() {
            return Ok(false);
        }
        let agent = registry::store::find_agent(&self.engine.db, session.tenant_id, agent).await?;
        Ok(agent.is_on_probation() && has_other_agent(self.engine, session).await?)
    }

    /// Whether the agent must be idle before the session is paused. An agent that waits for a person spends nothing,
    /// and would not get the answer if it were aborted.
    fn must_abort(&self, phase: &Phase) -> bool {
        match phase {
            Phase::Limited { .. } => true,
            Phase::Finished(_) | Phase::Waiting(_) => false,
            Phase::Starting | Phase::Working => self.claimed.out_of_tokens,
        }
    }

    /// The agent did not answer, or its answer is not understood. When it is given up, its work is read all the same:
    /// its workspace may still be readable.
    async fn record_unreachable(&self, call: AgentCall, failure: Failure, delivered: Vec<MessageId>) -> Result<()> {
        let poll = self.settings().poll;
        let is_lost = run::is_unreachable_for_good(self.session(), self.engine.clock.now(), &poll);
        let gives_up = failure.code == AGENT_PROTOCOL || is_lost && !self.session().can_fail_over();
        let collect = if gives_up { When::Always } else { When::Never };
        let report = call.finish_with_agent(self.engine, Ok(()), When::Never, collect).await?;
        let artifacts = report.artifacts.clone();
        let mut lost = None;
        probe_after(self.engine, self.session().run.agent_id, &failure).await;
        commit_with_artifacts(self.engine, self.session(), "observer", &artifacts, |change| {
            change.delivered_messages = delivered;
            change.session.run.state = Some(call.state);
            let is_lost = run::record_unreachable(change, &failure, &poll)?;
            if is_lost && change.session.can_fail_over() && failure.code != AGENT_PROTOCOL {
                lost = change.session.run.agent_id;
            } else if gives_up {
                report.add_events(change)?;
                if let Some(unread) = &report.unread {
                    collection::add_unread_warning(change, unread);
                }
                run::fail_run(change, failure, report.work)?;
                run::schedule_abort_retry(change, chrono::TimeDelta::zero());
            }
            Ok(())
        })
        .await?;
        self.fail_over(lost).await
    }

    /// Moves the session away from a lost agent. If the move is interrupted, the next step finds the agent lost again.
    async fn fail_over(&self, lost: Option<AgentId>) -> Result<()> {
        match lost {
            Some(agent) => move_to_another_agent(self.engine, self.session().key(), agent).await,
            None => Ok(()),
        }
    }

    /// Resumes a paused session whose time has come, or whose agent waits for sessions that are over.
    async fn resume_if_due(&self) -> Result<()> {
        let answer = find_answer(self.engine, self.session()).await?;
        let before = self.session().schedule.next_step_at;
        let queue_until = self.settings().queue_deadline(self.engine.clock.now());
        let fence = self.session().schedule.fence;
        let resumed = change_by_capacity(
            self.engine,
            self.session().key(),
            Actor::system_part("observer"),
            |change, snapshot| {
                release_lease(change, fence)?;
                let is_paused = change.session.status == Status::Paused;
                if is_paused && change.session.pause.resume_at.is_some_and(|at| at <= change.now) {
                    let can_start = snapshot.can_start_now();
                    return commands::resume_or_requeue(change, "its time has come", true, can_start, queue_until);
                }
                // A command resumed it meanwhile, or it waits for a person: only a time of its own ends this pause.
                if is_paused {
                    let requested = change.session.schedule.next_step_at.filter(|due| Some(*due) != before);
                    let check = wait::next_check(&change.session, requested, change.now);
                    change.session.schedule.next_step_at = check;
                    if let Some(answer) = answer {
                        let can_start = snapshot.can_start_now();
                        return wait::end_wait(change, MessageId::new(), answer, can_start, queue_until);
                    }
                }
                Ok(CommandOutcome::Applied)
            },
        );
        resumed.await.map(|_| ())
    }
}

/// Delivers messages to the agent, oldest first.
async fn deliver_messages(
    call: &mut AgentCall,
    messages: &[(MessageId, UserMessage)],
    delivered: &mut Vec<MessageId>,
) -> Result<(), Failure> {
    for (id, message) in messages {
        call.state = call.runtime.send_message(&call.assignment, &call.state, *id, message).await?;
        delivered.push(*id);
    }
    Ok(())
}
