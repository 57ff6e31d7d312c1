//! Watching a run: one look at the agent at a time, until the end; and what people asked for in between.

use chrono::TimeDelta;

use crate::{
    app::App,
    auth::Actor,
    dispatch,
    error::Result,
    event::EventType,
    id::{ArtifactId, MessageId, SessionId, TenantId},
    job::Verdict,
    runtime::{AgentRuntime, Assignment, Finish, Observation, Phase, RunState, Work},
    session::{
        Intent, IntentVerb, Session,
        change::next_month,
        outcome::{AGENT_LOST, Failure},
        progress::{self, Next},
        service::{self, go_on},
        status::{PauseReason, Status},
        store::{self, Artifact, Claimed},
        verbs,
    },
    step, tidy,
};

/// How long after the end of its session an agent that could not be brought to rest is asked again.
pub(crate) const UNTIL_REST_IS_ASKED_AGAIN: TimeDelta = TimeDelta::minutes(1);

/// The job `Observe`: does whatever is due for a session that is not waiting in the queue.
pub async fn observe(app: &App, tenant_id: TenantId, id: SessionId) -> Result<Verdict> {
    step::run(app, tenant_id, id, |claimed| async move { Box::pin(observe_claimed(app, claimed)).await }).await
}

async fn observe_claimed(app: &App, claimed: Claimed) -> Result<()> {
    let session = &claimed.session;
    match session.status {
        Status::Running | Status::Degraded
            if session.intent.is_some() && !(session.handover.is_some() && dispatch::may_have_begun(&claimed)) =>
        {
            Box::pin(carry_out_intent(app, &claimed)).await
        }
        // The handover has a job of its own: writing rings for it. One that was broken off stays known as such.
        Status::Running | Status::Degraded if session.handover.is_some() => {
            step::write(app, session, "observer", |change| {
                change.session.lease_until = claimed.unfinished.then_some(change.now);
                Ok(())
            })
            .await
        }
        Status::Running | Status::Degraded => Box::pin(look(app, &claimed)).await,
        Status::Paused => wake(app, session).await,
        Status::Queued => step::write(app, session, "dispatcher", progress::queue_limit).await,
        Status::Pending => {
            step::write(app, session, "observer", |change| {
                change.session.next_step_at = None;
                Ok(())
            })
            .await
        }
        _ => tidy::up(app, &claimed).await,
    }
}

/// The agent, what it is told, and what the runtime remembers.
pub(crate) struct Run {
    pub(crate) runtime: std::sync::Arc<dyn AgentRuntime>,
    pub(crate) assignment: Assignment,
    pub(crate) state: RunState,
}

impl Run {
    pub(crate) async fn of(app: &App, claimed: &Claimed) -> Result<Option<Self>> {
        let session = &claimed.session;
        let Some(state) = session.run_state.clone() else { return Ok(None) };
        let runtime = step::runtime(app, claimed)?;
        let assignment = step::assignment(app, claimed, &Session { handover: None, ..session.clone() }).await?;
        Ok(Some(Self { runtime, assignment, state }))
    }

    pub(crate) async fn collect(&self) -> Option<Work> {
        match self.runtime.collect(&self.assignment, &self.state).await {
            Ok(work) => Some(work.storable()),
            Err(failure) => {
                tracing::warn!(session.id = %self.assignment.session_id, failure.message, "the work could not be read");
                None
            }
        }
    }
}

/// One look at a running session's agent.
async fn look(app: &App, claimed: &Claimed) -> Result<()> {
    let session = &claimed.session;
    let Some(mut run) = Run::of(app, claimed).await? else {
        let failure = Failure::new(crate::session::outcome::Category::Internal, "RUN_LOST", "The run left no trace.");
        return step::write(app, session, "observer", |change| progress::fail(change, failure, None)).await;
    };
    let over_time = session.deadline().is_some_and(|deadline| deadline <= app.clock.now());
    let mut delivered = Vec::new();
    let seen = match deliver(&mut run, &claimed.messages, &mut delivered).await {
        Ok(()) => run.runtime.observe(&run.assignment, &run.state).await,
        Err(failure) => Err(failure),
    };
    match seen {
        Ok(observation) if !over_time || matches!(observation.phase, Phase::Finished(_)) => {
            Box::pin(take_in(app, claimed, run, observation, delivered)).await
        }
        Ok(_) => Box::pin(end_by_force(app, session, run, progress::time_out)).await,
        Err(_) if over_time => Box::pin(end_by_force(app, session, run, progress::time_out)).await,
        Err(failure) => missed(app, session, run.state, failure, delivered).await,
    }
}

/// Tells the agent what people said, oldest first.
async fn deliver(
    run: &mut Run,
    messages: &[(MessageId, crate::runtime::Said)],
    delivered: &mut Vec<MessageId>,
) -> Result<(), Failure> {
    for (id, said) in messages {
        run.state = run.runtime.say(&run.assignment, &run.state, *id, said).await?;
        delivered.push(*id);
    }
    Ok(())
}

/// Writes what a look showed, and does what it calls for.
async fn take_in(
    app: &App,
    claimed: &Claimed,
    mut run: Run,
    seen: Observation,
    delivered: Vec<MessageId>,
) -> Result<()> {
    let session = &claimed.session;
    run.state = seen.state.clone();
    let turns = i32::try_from(seen.turns_with_changes).unwrap_or(i32::MAX);
    let turned = turns > session.turns_with_changes;
    let rests = match &seen.phase {
        Phase::Limited { .. } => true,
        // Who waits for a person spends nothing; brought to rest, it would not hear the answer.
        Phase::Finished(_) | Phase::Waiting(_) => false,
        Phase::Starting | Phase::Working | Phase::Retrying { .. } => claimed.out_of_tokens,
    };
    let aborted = if rests { run.runtime.abort(&run.assignment, &run.state).await } else { Ok(()) };
    if let Err(failure) = &aborted {
        tracing::warn!(session.id = %session.id, failure.message, "the agent could not be brought to rest");
    }
    let stops = rests || matches!(seen.phase, Phase::Waiting(_) | Phase::Finished(_));
    let work = if stops || turned { run.collect().await } else { None };
    let artifacts = store_artifacts(app, session, work.as_ref()).await?;
    let (pace, jitter, out_of_tokens) = (app.settings.pace, rand::random::<f64>(), claimed.out_of_tokens);
    let mut lost = None;
    step::write_with(app, session, "observer", &artifacts, |change| {
        change.delivered = delivered;
        // Whoever says something makes the session due: the agent is told of it before its end is believed.
        let more_was_said = change.session.intent.is_none() && change.session.next_step_at != session.next_step_at;
        let next = progress::observed(change, seen, &pace)?;
        if more_was_said {
            change.session.next_step_at = Some(change.now);
        }
        for artifact in &artifacts {
            change.event(EventType::Artifact, serde_json::to_value(artifact)?);
        }
        match next {
            // It works on and is metered; the next look tells it again.
            Next::Rest { .. } | Next::Continue if aborted.is_err() => Ok(()),
            // Somebody asked for its stop meanwhile: the next step carries that out, and nothing holds it before.
            Next::Ask(_) | Next::Rest { .. } | Next::Continue if change.session.stops() => Ok(()),
            // Or for its pause: that goes on until somebody ends it, not until the limit does.
            Next::Rest { .. } | Next::Continue if rests && change.session.intent.is_some() => {
                let intent = change.session.intent.clone();
                intent.map_or(Ok(()), |intent| progress::carry_out(change, intent, work))
            }
            Next::Ask(question) => progress::ask(change, question, work),
            Next::Rest { message, resume_at } => {
                let intent = by_system(PauseReason::RateLimit, message, resume_at);
                progress::carry_out(change, intent, work)
            }
            Next::End(Finish::Completed { .. } | Finish::Partial { .. }) if more_was_said => Ok(()),
            // The work was taken from its agent; broken off here, the next look finds it so again.
            Next::End(Finish::Failed(failure)) if failure.code == AGENT_LOST && dispatch::may_move(&change.session) => {
                lost = change.session.agent_id;
                change.session.next_step_at = Some(change.now);
                Ok(())
            }
            Next::End(finish) => progress::end(change, finish, work, &pace, jitter),
            Next::Continue if out_of_tokens => {
                let month_end = next_month(change.now);
                let message = "the tenant's tokens of this month are spent".to_owned();
                progress::carry_out(change, by_system(PauseReason::Quota, message, month_end), work)
            }
            Next::Continue => {
                if let Some(work) = work {
                    progress::turn_ended(change, turns, work);
                }
                Ok(())
            }
        }
    })
    .await?;
    match lost {
        Some(agent) => Box::pin(dispatch::move_elsewhere(app, session.tenant_id, session.id, agent)).await,
        None => Ok(()),
    }
}

fn by_system(reason: PauseReason, message: String, resume_at: crate::clock::Time) -> Intent {
    Intent {
        verb: IntentVerb::Pause,
        reason: Some(message),
        pause_reason: Some(reason),
        resume_at: Some(resume_at),
        actor: Actor::system("observer"),
    }
}

/// The agent did not answer.
async fn missed(
    app: &App,
    session: &Session,
    state: RunState,
    failure: Failure,
    delivered: Vec<MessageId>,
) -> Result<()> {
    let pace = app.settings.pace;
    let mut lost = None;
    step::write(app, session, "observer", |change| {
        change.delivered = delivered;
        change.session.run_state = Some(state);
        if progress::unreachable(change, &failure, &pace)? {
            if dispatch::may_move(&change.session) {
                lost = change.session.agent_id;
                return Ok(());
            }
            progress::fail(change, failure, None)?;
            progress::not_at_rest(change, TimeDelta::zero());
        }
        Ok(())
    })
    .await?;
    match lost {
        // Broken off here, the next look finds it out of reach again.
        Some(agent) => Box::pin(dispatch::move_elsewhere(app, session.tenant_id, session.id, agent)).await,
        None => Ok(()),
    }
}

/// Pauses or stops, now that somebody asked: the agent rests first.
pub(crate) async fn carry_out_intent(app: &App, claimed: &Claimed) -> Result<()> {
    let session = &claimed.session;
    let Some(run) = Run::of(app, claimed).await? else {
        return step::write(app, session, "observer", |change| match change.session.intent.clone() {
            Some(intent) => progress::carry_out(change, intent, None),
            None => Ok(()),
        })
        .await;
    };
    let aborted = run.runtime.abort(&run.assignment, &run.state).await;
    if let Err(failure) = &aborted
        && session.attempts < progress::MAX_ATTEMPTS
    {
        // Try again a few times; after that the wish is granted without the agent.
        return step::write(app, session, "observer", |change| {
            progress::unreachable(change, failure, &app.settings.pace)?;
            Ok(())
        })
        .await;
    }
    // What the agent did up to the abort belongs on record.
    let seen = run.runtime.observe(&run.assignment, &run.state).await.ok();
    let work = if aborted.is_ok() { run.collect().await } else { None };
    let artifacts = store_artifacts(app, session, work.as_ref()).await?;
    let pace = app.settings.pace;
    step::write_with(app, session, "observer", &artifacts, |change| {
        if let Some(seen) = seen {
            let kept = change.session.intent.clone();
            progress::observed(change, seen, &pace)?;
            change.session.intent = kept;
        }
        for artifact in &artifacts {
            change.event(EventType::Artifact, serde_json::to_value(artifact)?);
        }
        match change.session.intent.clone() {
            Some(intent) => {
                progress::carry_out(change, intent, work)?;
                if aborted.is_err() && change.session.status.is_over() {
                    progress::not_at_rest(change, UNTIL_REST_IS_ASKED_AGAIN);
                }
                Ok(())
            }
            None => Ok(()),
        }
    })
    .await
}

/// Ends a run that went on for too long.
async fn end_by_force(
    app: &App,
    session: &Session,
    run: Run,
    end: impl FnOnce(&mut crate::session::change::Change, Option<Work>) -> Result<()>,
) -> Result<()> {
    let aborted = run.runtime.abort(&run.assignment, &run.state).await;
    if let Err(failure) = &aborted {
        tracing::warn!(session.id = %session.id, failure.message, "the agent could not be brought to rest");
    }
    let seen = run.runtime.observe(&run.assignment, &run.state).await.ok();
    let work = run.collect().await;
    let artifacts = store_artifacts(app, session, work.as_ref()).await?;
    let pace = app.settings.pace;
    step::write_with(app, session, "observer", &artifacts, |change| {
        if let Some(seen) = seen {
            progress::observed(change, seen, &pace)?;
        }
        for artifact in &artifacts {
            change.event(EventType::Artifact, serde_json::to_value(artifact)?);
        }
        end(change, work)?;
        if aborted.is_err() {
            progress::not_at_rest(change, UNTIL_REST_IS_ASKED_AGAIN);
        }
        Ok(())
    })
    .await
}

/// A paused session whose time has come goes on.
async fn wake(app: &App, session: &Session) -> Result<()> {
    let until = service::queue_until(app, app.clock.now());
    let actor = Actor::system("observer");
    let woken = go_on(app, session.tenant_id, session.id, actor, |change, free| {
        step::give_back(change, session.fence)?;
        let due = change.session.resume_at.is_some_and(|at| at <= change.now);
        if change.session.status != Status::Paused || !due {
            // Somebody else woke it, or it waits for a person: only a time of its own ends this pause.
            if change.session.status == Status::Paused {
                change.session.next_step_at = change.session.resume_at;
            }
            return Ok(verbs::Progress::Done);
        }
        verbs::go_on(change, "its time has come", true, free, until)
    });
    woken.await?;
    Ok(())
}

/// Stores what was made: the bytes first, the rows with the step's write.
pub(crate) async fn store_artifacts(app: &App, session: &Session, work: Option<&Work>) -> Result<Vec<Artifact>> {
    let Some(work) = work else { return Ok(Vec::new()) };
    let known = store::artifacts(&app.db, session.tenant_id, session.id).await?;
    let mut kept = Vec::new();
    let patch = crate::runtime::Made {
        path: "changes.patch".to_owned(),
        mime_type: "text/x-diff".to_owned(),
        content: work.patch.clone().into_bytes(),
    };
    let made = work.artifacts.iter().chain((!work.patch.is_empty()).then_some(&patch));
    for made in made.filter(|made| made.content.len() <= 10 * 1024 * 1024) {
        let size = i64::try_from(made.content.len()).unwrap_or(i64::MAX);
        let sha256 = app.files.put(session.tenant_id, session.id, made.content.clone()).await?;
        let before = known.iter().find(|one| one.path == made.path);
        if before.is_some_and(|one| one.sha256 == sha256) {
            continue;
        }
        kept.push(Artifact {
            id: before.map_or_else(ArtifactId::new, |one| one.id),
            path: made.path.clone(),
            mime_type: made.mime_type.clone(),
            size,
            sha256,
            at: app.clock.now(),
        });
    }
    Ok(kept)
}
