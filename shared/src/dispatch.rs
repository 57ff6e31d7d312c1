//! The scheduler: whose turn it is, which agent gets it, and handing the work over. One of the two modules that reach
//! across aggregates.

mod failover;
mod model;
mod routing;

use std::time::Duration;

use crate::{
    admissions::Admitting,
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
        verbs,
    },
    step,
    unit::after_commit,
};

/// How long a bell rests that rang while another admitted on its agent. That one looks once more before it ends: the bell
/// only matters when it fails.
const BUSY_PAUSE: Duration = Duration::from_secs(5);

/// How many turns are looked up at once.
const TURNS: i32 = 16;

pub(crate) use self::failover::{may_move, move_elsewhere};
pub use self::{failover::failover, routing::rank};

/// The name under which decisions about an agent's capacity take turns.
pub(crate) fn turns(agent: AgentId) -> String {
    format!("turns:{agent}")
}

/// The job `Dispatch`: admits whoever's turn it is on the session's agent, and hands over what is admitted.
pub async fn dispatch(app: &App, tenant_id: TenantId, id: SessionId) -> Result<Verdict> {
    // While another admits, the turns are its to look up.
    let most = if app.admissions().is_idle() { TURNS } else { 0 };
    let standing = store::standing(&app.db, tenant_id, id, app.clock.now(), most).await?;
    let mine = match standing {
        None => false,
        Some(standing) if standing.queued => {
            let (routed, agent_id) = (standing.routed && standing.tenant_has_room, standing.agent_id);
            match admit_with(app, standing, id, most > 0).await? {
                Turn::Busy => return Ok(Verdict::Later(BUSY_PAUSE)),
                Turn::Came => true,
                // The agent that was guessed has no room for it, or does not suit.
                Turn::Waits if routed => Box::pin(routing::admit_where_it_suits(app, tenant_id, id, agent_id)).await?,
                Turn::Waits => false,
            }
        }
        Some(standing) => standing.to_hand_over,
    };
    if mine { Box::pin(hand_over(app, tenant_id, id)).await } else { Ok(Verdict::Done) }
}

/// What came of a waiting session when turns were looked up.
enum Turn {
    /// It runs now, and is ours to hand over.
    Came,
    Waits,
    /// Another admits there at the moment.
    Busy,
}

/// Gives the free places of the agent that a waiting session has to those whose turn it is.
async fn admit_with(app: &App, standing: Standing, id: SessionId, looked_up: bool) -> Result<Turn> {
    let Some(agent) = standing.agent_id else { return Ok(Turn::Waits) };
    let Some(admitting) = app.admissions().begin(agent) else { return Ok(Turn::Busy) };
    let turns = if looked_up { standing.turns } else { store::turns(&app.db, agent, app.clock.now(), TURNS).await? };
    let came = admit_all(app, &admitting, agent, turns, Some(id)).await?;
    Ok(if came { Turn::Came } else { Turn::Waits })
}

/// Gives the free places of an agent to those whose turn it is.
pub async fn admit(app: &App, agent: AgentId) -> Result<()> {
    if let Some(admitting) = app.admissions().begin(agent) {
        let turns = store::turns(&app.db, agent, app.clock.now(), TURNS).await?;
        admit_all(app, &admitting, agent, turns, None).await?;
    }
    Ok(())
}

/// Gives the places of an agent that may have new ones to those whose turn it is, once that is committed.
pub async fn admit_soon(app: &App, agent: AgentId) {
    let app = app.clone();
    after_commit(Box::pin(async move {
        if let Err(error) = Box::pin(admit(&app, agent)).await {
            tracing::warn!(?error, agent.id = %agent, "nobody was admitted on an agent that has room; the sweep will");
        }
    }))
    .await;
}

/// Gives the free places of an agent to those whose turn it is, and rings for each but `mine`. Answers whether `mine`
/// is left to be handed over; when there is more to do first, its bell is rung too.
async fn admit_all(
    app: &App,
    admitting: &Admitting<'_>,
    agent: AgentId,
    mut turns: Vec<(TenantId, SessionId)>,
    mine: Option<SessionId>,
) -> Result<bool> {
    let mut kept = None;
    loop {
        let admitted = admit_page(app, agent, &turns, mine).await?;
        kept = kept.or(admitted.mine);
        if !admitted.more && admitting.end() {
            return Ok(kept.is_some());
        }
        if let Some((tenant_id, id)) = kept.take() {
            app.ring(&[(Job::dispatch(tenant_id, id), Duration::ZERO)]).await;
        }
        turns = store::turns(&app.db, agent, app.clock.now(), TURNS).await?;
    }
}

/// What became of the turns that were looked up.
struct Page {
    /// The session that is not to be rung for, when it was admitted.
    mine: Option<(TenantId, SessionId)>,
    /// Whether there may be more whose turn it is.
    more: bool,
}

async fn admit_page(
    app: &App,
    agent: AgentId,
    turns: &[(TenantId, SessionId)],
    mine: Option<SessionId>,
) -> Result<Page> {
    let mut page = Page { mine: None, more: false };
    let (mut admitted, mut passed_over) = (0, 0);
    for &(tenant_id, id) in turns {
        match admit_one(app, agent, tenant_id, id).await? {
            Admitted::Yes => {
                admitted += 1;
                if Some(id) == mine {
                    page.mine = Some((tenant_id, id));
                } else {
                    app.ring(&[(Job::dispatch(tenant_id, id), Duration::ZERO)]).await;
                }
            }
            Admitted::AgentFull => return Ok(page),
            Admitted::No => passed_over += 1,
        }
    }
    // Behind a full page there may be more; and whoever was passed over (its workspace was taken by one admitted
    // before it) held a place that the next in turn may have.
    let full = turns.len() >= usize::try_from(TURNS).unwrap_or(usize::MAX);
    page.more = admitted > 0 && (full || passed_over > 0);
    Ok(page)
}

/// After something of a tenant became free: its other sessions may wait for it on any agent.
pub async fn admit_for_tenant(app: &App, tenant_id: TenantId, agent: Option<AgentId>) -> Result<()> {
    let (mut agents, unplaced) = store::waited_for(&app.db, tenant_id, TURNS.into()).await?;
    agents.extend(agent.filter(|agent| !agents.contains(agent)));
    for agent in agents {
        admit(app, agent).await?;
    }
    let jobs: Vec<_> = unplaced.into_iter().map(|id| (Job::dispatch(tenant_id, id), Duration::ZERO)).collect();
    app.ring(&jobs).await;
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
    let looked = store::lock_with_room(&mut tx, (tenant_id, id), Towards::Agent(agent), now).await;
    let (mut session, room) = match looked {
        // It may have been taken out of the queue and given to another agent since, whose lock we do not have; and the
        // agent may not be offered to the tenant any more.
        Ok((session, room))
            if session.status == Status::Queued
                && (session.agent_id == Some(agent) || session.is_routed())
                && room.agent_id == Some(agent) =>
        {
            (session, room)
        }
        Ok(_) => return Ok(Admitted::No),
        Err(error) if error.code() == Code::SessionNotFound => return Ok(Admitted::No),
        Err(error) => return Err(error),
    };
    if room.agent_full {
        return Ok(Admitted::AgentFull);
    }
    if !room.active || room.slots_taken() || room.workspace_taken || room.out_of_tokens {
        return Ok(Admitted::No);
    }
    if session.agent_id.replace(agent) != Some(agent) {
        // What another agent remembers is nothing to this one.
        session.run_state = None;
    }
    let mut change = Change::new(session, Actor::system("dispatcher"), now);
    progress::admit(&mut change)?;
    change.session.updated_at = now;
    store::save(tx, &change).await?;
    app.tell(tenant_id, id).await;
    app.tell_tenant(tenant_id).await;
    Ok(Admitted::Yes)
}

/// Hands an admitted session to its agent.
async fn hand_over(app: &App, tenant_id: TenantId, id: SessionId) -> Result<Verdict> {
    let work = |claimed| async move { Box::pin(hand_over_claimed(app, claimed)).await };
    step::run(app, tenant_id, id, work).await
}

async fn hand_over_claimed(app: &App, mut claimed: Claimed) -> Result<()> {
    let session = &claimed.session;
    if !session.status.holds_slot() || session.handover.is_none() {
        return release(app, session).await;
    }
    if session.intent.is_some() && !may_have_begun(&claimed) {
        return Box::pin(crate::observe::carry_out_intent(app, &claimed)).await;
    }
    let given = match model::settle(app, &mut claimed.session).await? {
        Ok(()) => give(app, &claimed).await?,
        Err(failure) => Err(failure),
    };
    let session = &claimed.session;
    let pace = app.settings.pace;
    let jitter = rand::random::<f64>();
    step::write_as_it_stands(app, session, "dispatcher", &[], |change, moved| match given {
        Ok(state) if moved => {
            if change.session.status.is_over() {
                // Somebody ended it meanwhile: the agent is told to let go.
                change.session.run_state = Some(state);
                verbs::clean_up_next(change);
            }
            Ok(())
        }
        Err(_) if moved => Ok(()),
        Ok(state) => {
            progress::handed_over(change, state, &pace);
            if !claimed.messages.is_empty() {
                change.session.next_step_at = Some(change.now);
            }
            Ok(())
        }
        Err(failure) => match change.session.intent.clone() {
            Some(intent) => progress::carry_out(change, intent, None),
            None if progress::try_again(change, &failure, &pace, jitter)? => Ok(()),
            None => progress::fail(change, failure, None),
        },
    })
    .await
}

/// Whether the agent may have the work already, though we know nothing of it: then it is handed over once more, which
/// changes nothing at the agent, to learn what must be brought to rest before it can be held or stopped.
pub(crate) fn may_have_begun(claimed: &Claimed) -> bool {
    claimed.unfinished || claimed.session.auto_retries > 0
}

/// An error is of the moment and on our side; it counts as no attempt at the agent.
async fn give(app: &App, claimed: &Claimed) -> Result<Result<RunState, Failure>> {
    let session = &claimed.session;
    let prepared = async { Ok((step::runtime(app, claimed)?, step::assignment(app, claimed, session).await?)) };
    let error: Error = match prepared.await {
        Ok((runtime, assignment)) => return Ok(runtime.dispatch(&assignment).await),
        Err(error) => error,
    };
    let failure = match error.code() {
        Code::DependencyUnavailable => return Err(error),
        Code::CheckpointNotFound => Failure::new(Category::User, "CHECKPOINT_GONE", error.detail()),
        Code::AgentUnavailable => Failure::transient("AGENT_UNAVAILABLE", error.detail()),
        _ => Failure::transient("INTERNAL", "Something went wrong on our side."),
    };
    tracing::error!(?error, session.id = %session.id, "a handover failed on our side");
    Ok(Err(failure))
}

/// Frees a claim on a session that needs nothing of this step.
async fn release(app: &App, session: &Session) -> Result<()> {
    step::write(app, session, "dispatcher", |_| Ok(())).await
}
