//! The scheduler: whose turn it is, and handing the work over. One of the two modules that reach across aggregates.

use crate::{
    app::App,
    auth::Actor,
    error::{Code, Error, Result},
    id::{AgentId, SessionId, TenantId},
    job::{Job, Verdict},
    runtime::RunState,
    session::{
        Session,
        change::Change,
        outcome::{Category, Failure},
        progress, service,
        status::Status,
        store::{self, Claimed, Standing, Towards},
    },
    step,
};

/// How many turns are looked up at once.
const TURNS: i32 = 16;

/// The name under which decisions about an agent's capacity take turns.
pub(crate) fn turns(agent: AgentId) -> String {
    format!("turns:{agent}")
}

/// The job `Dispatch`: admits whoever's turn it is on the session's agent, and hands over what is admitted.
pub async fn dispatch(app: &App, tenant_id: TenantId, id: SessionId) -> Result<Verdict> {
    let standing = store::standing(&app.db, tenant_id, id, app.clock.now(), TURNS).await?;
    let mine = match standing {
        None => false,
        Some(Standing { queued: true, agent_id: Some(agent), turns, .. }) => {
            admit_all(app, agent, turns, Some(id)).await?
        }
        Some(standing) => standing.to_hand_over,
    };
    if mine { Box::pin(hand_over(app, tenant_id, id)).await } else { Ok(Verdict::Done) }
}

/// Gives the free places of an agent to those whose turn it is.
pub async fn admit(app: &App, agent: AgentId) -> Result<()> {
    let turns = store::turns(&app.db, agent, app.clock.now(), TURNS).await?;
    admit_all(app, agent, turns, None).await?;
    Ok(())
}

/// Gives the free places of an agent to those whose turn it is, and rings for each but `mine`. Answers whether `mine`
/// was among them.
async fn admit_all(
    app: &App,
    agent: AgentId,
    mut turns: Vec<(TenantId, SessionId)>,
    mine: Option<SessionId>,
) -> Result<bool> {
    let mut was_mine = false;
    loop {
        let mut admitted = 0;
        for (tenant_id, id) in &turns {
            match admit_one(app, agent, *tenant_id, *id).await? {
                Admitted::Yes if Some(*id) == mine => {
                    admitted += 1;
                    was_mine = true;
                }
                Admitted::Yes => {
                    admitted += 1;
                    app.ring(&[(Job::dispatch(*tenant_id, *id), std::time::Duration::ZERO)]).await;
                }
                Admitted::AgentFull => return Ok(was_mine),
                Admitted::No => {}
            }
        }
        // A full page of which something was admitted may have more behind it.
        if admitted == 0 || turns.len() < usize::try_from(TURNS).unwrap_or(usize::MAX) {
            return Ok(was_mine);
        }
        turns = store::turns(&app.db, agent, app.clock.now(), TURNS).await?;
    }
}

/// After something of a tenant became free: its other sessions may wait for it on any agent.
pub async fn admit_for_tenant(app: &App, tenant_id: TenantId, agent: Option<AgentId>) -> Result<()> {
    let mut agents = store::agents_waited_for(&app.db, tenant_id).await?;
    agents.extend(agent.filter(|agent| !agents.contains(agent)));
    for agent in agents {
        admit(app, agent).await?;
    }
    Ok(())
}

enum Admitted {
    Yes,
    No,
    AgentFull,
}

/// Moves one queued session to running, if all that it needs is free. Decided under the locks of the agent's capacity
/// and the tenant's slots, so the limits hold at every instant.
async fn admit_one(app: &App, agent: AgentId, tenant_id: TenantId, id: SessionId) -> Result<Admitted> {
    let mut tx = app.db.tenant(tenant_id).await?;
    tx.lock(&turns(agent));
    tx.lock(&service::slots(tenant_id));
    let now = app.clock.now();
    let looked = store::lock_with_room(&mut tx, (tenant_id, id), Towards::Given, &app.agents.default, now).await;
    let (session, room) = match looked {
        // It may have been taken out of the queue and given to another agent since, whose lock we do not have.
        Ok((session, room)) if session.status == Status::Queued && session.agent_id == Some(agent) => (session, room),
        Ok(_) => return Ok(Admitted::No),
        Err(error) if error.code() == Code::SessionNotFound => return Ok(Admitted::No),
        Err(error) => return Err(error),
    };
    if room.agent_full {
        return Ok(Admitted::AgentFull);
    }
    if room.running >= room.max_concurrent || room.workspace_taken || room.out_of_tokens {
        return Ok(Admitted::No);
    }
    let mut change = Change::new(session, Actor::system("dispatcher"), now);
    progress::admit(&mut change)?;
    change.session.updated_at = now;
    store::save(tx, &change).await?;
    app.news.tell(tenant_id, id);
    Ok(Admitted::Yes)
}

/// Hands an admitted session to its agent.
async fn hand_over(app: &App, tenant_id: TenantId, id: SessionId) -> Result<Verdict> {
    let work = |claimed| async move { Box::pin(hand_over_claimed(app, claimed)).await };
    step::run(app, tenant_id, id, work).await
}

async fn hand_over_claimed(app: &App, claimed: Claimed) -> Result<()> {
    let session = &claimed.session;
    if !session.status.holds_slot() || session.handover.is_none() {
        return release(app, session).await;
    }
    if session.intent.is_some() {
        return crate::observe::carry_out_intent(app, &claimed).await;
    }
    let given = give(app, &claimed).await;
    let pace = app.settings.pace;
    let jitter = rand::random::<f64>();
    step::write(app, session, "dispatcher", |change| match given {
        Ok(state) => {
            progress::handed_over(change, state, &pace);
            if !claimed.messages.is_empty() {
                change.session.next_step_at = Some(change.now);
            }
            Ok(())
        }
        Err(failure) if progress::try_again(change, &failure, &pace, jitter)? => Ok(()),
        Err(failure) => progress::fail(change, failure, None),
    })
    .await
}

async fn give(app: &App, claimed: &Claimed) -> Result<RunState, Failure> {
    let session = &claimed.session;
    let ours = |error: Error| {
        tracing::error!(?error, session.id = %session.id, "a handover failed on our side");
        match error.code() {
            Code::CheckpointNotFound => Failure::new(Category::User, "CHECKPOINT_GONE", error.detail()),
            Code::AgentUnavailable => Failure::transient("AGENT_UNAVAILABLE", error.detail()),
            _ => Failure::transient("INTERNAL", "Something went wrong on our side."),
        }
    };
    let runtime = step::runtime(app, claimed).map_err(ours)?;
    let assignment = step::assignment(app, session).await.map_err(ours)?;
    runtime.dispatch(&assignment).await
}

/// Frees a claim on a session that needs nothing of this step.
async fn release(app: &App, session: &Session) -> Result<()> {
    step::write(app, session, "dispatcher", |_| Ok(())).await
}
