//! Sessions that name no agent: the best that suits and has room takes them when their turn comes.

use crate::{
    agent::{
        self, Agent, AgentType,
        route::{self, Ranking, Requirements},
    },
    app::App,
    error::{Refusals, Result},
    id::{AgentId, SessionId, TenantId},
    session::{
        Session, SessionType,
        store::{self, Found},
    },
};

use super::{TURNS, admit_all};

/// With how many agents a session is tried at one time; whoever comes after them has less to offer than waiting a moment.
const TRIED: usize = 4;

/// Tries the agents that suit a waiting session, the best first; `guessed` was tried before. Answers whether it runs now,
/// and is left to be handed over.
pub(super) async fn admit_where_it_suits(
    app: &App,
    tenant_id: TenantId,
    id: SessionId,
    guessed: Option<AgentId>,
) -> Result<bool> {
    let now = app.clock.now();
    let Found { session, .. } = store::find(&app.db, tenant_id, id, now).await?;
    let agents = agent::store::visible(&app.db, tenant_id).await?;
    let ranking = rank(app, &agents, &session);
    for candidate in ranking.candidates.iter().filter(|one| Some(one.agent.id) != guessed).take(TRIED) {
        let agent = candidate.agent.id;
        let Some(admitting) = app.admissions().begin(agent) else { continue };
        let turns = store::turns(&app.db, agent, app.clock.now(), TURNS).await?;
        if admit_all(app, &admitting, agent, turns, Some(id)).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Ranks the agents that a tenant sees for a session.
pub fn rank<'a>(app: &App, agents: &'a [Agent], session: &Session) -> Ranking<'a> {
    route::rank(agents, &wanted(app, agents, session), session.lost_agent_id, app.clock.now())
}

/// What a session asks of its agent, and where it says nothing what its type suggests and the configuration prefers.
fn wanted(app: &App, agents: &[Agent], session: &Session) -> Requirements {
    // It was checked when the session was made.
    let mut wanted = Requirements::of_config(&session.agent_config, &mut Refusals::default());
    wanted.preferred_agent_type = wanted.preferred_agent_type.or(Some(usual(session.session_type)));
    if wanted.preferred_agent_ids.is_empty() {
        let preferred =
            agents.iter().filter(|one| one.is_of_platform() && Some(&one.name) == app.agents.default.as_ref());
        wanted.preferred_agent_ids = preferred.map(|one| one.id).collect();
    }
    wanted
}

/// The type of agent that a type of session is usually for.
fn usual(session_type: SessionType) -> AgentType {
    match session_type {
        SessionType::Planning => AgentType::Architect,
        SessionType::Execution => AgentType::Implementer,
        SessionType::Review => AgentType::Reviewer,
        SessionType::Debug => AgentType::Debugger,
        SessionType::Integration => AgentType::Integrator,
    }
}
