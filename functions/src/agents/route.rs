//! `POST /agents/route`: which agent a session would get now, and why. Changes nothing.

use axum::{Json as Body, extract::State};
use serde::{Deserialize, Serialize};
use shared::{
    agent::{
        route::{Candidate, LeftOut, RUNNERS_UP, Raw, Score},
        service,
    },
    app::App,
    error::Refusals,
    id::AgentId,
};
use utoipa::ToSchema;

use crate::{
    problem::{Answer, Problems},
    request::{Caller, Json, Member},
};

/// The most agents that an answer tells why they fell out.
const MOST_LEFT_OUT: usize = 100;

/// What a piece of work asks of its agent; the same words stand in a session's `agent_config`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RouteRequest {
    /// All of them are needed; see docs/agents.md.
    #[serde(default)]
    required_capabilities: Vec<String>,
    /// All of them are needed.
    #[serde(default)]
    skills: Vec<String>,
    #[serde(default)]
    preferred_agent_ids: Vec<String>,
    preferred_agent_type: Option<String>,
    minimum_tier: Option<String>,
}

/// Where the work would go.
#[derive(Serialize, ToSchema)]
pub(super) struct RouteAnswer {
    /// Null when no agent may get it now: it would wait.
    chosen: Option<Ranked>,
    /// The next three.
    runners_up: Vec<Ranked>,
    /// Why others may not get it, the first hundred.
    left_out: Vec<Refused>,
    left_out_count: usize,
}

/// An agent with its score.
#[derive(Serialize, ToSchema)]
struct Ranked {
    id: AgentId,
    name: String,
    score: Score,
}

/// An agent that may not get it.
#[derive(Serialize, ToSchema)]
struct Refused {
    id: AgentId,
    name: String,
    #[serde(flatten)]
    why: LeftOut,
}

#[utoipa::path(post, path = "/api/v1/agents/route", operation_id = "route_agents", tag = "agents", request_body = RouteRequest,
    responses((status = 200, description = "The agent that would get it, the next ones, and why others fell out.", body = RouteAnswer), Problems))]
pub(super) async fn route(
    State(app): State<App>,
    caller: Caller<Member>,
    Json(new): Json<RouteRequest>,
) -> Answer<Body<RouteAnswer>> {
    let raw = Raw {
        required_capabilities: new.required_capabilities,
        skills: new.skills,
        preferred_agent_ids: new.preferred_agent_ids,
        preferred_agent_type: new.preferred_agent_type,
        minimum_tier: new.minimum_tier,
    };
    let mut refusals = Refusals::default();
    let wanted = raw.parse(&mut refusals, str::to_owned);
    refusals.finish()?;
    let agents = service::visible(&app, &caller).await?;
    let ranking = shared::agent::route::rank(&agents, &wanted, None, app.clock.now());
    let mut candidates = ranking.candidates.iter().map(ranked);
    let refused = |(agent, why): &(&shared::agent::Agent, LeftOut)| Refused {
        id: agent.id,
        name: agent.name.clone(),
        why: why.clone(),
    };
    Ok(Body(RouteAnswer {
        chosen: candidates.next(),
        runners_up: candidates.take(RUNNERS_UP).collect(),
        left_out: ranking.left_out.iter().take(MOST_LEFT_OUT).map(refused).collect(),
        left_out_count: ranking.left_out.len(),
    }))
}

fn ranked(candidate: &Candidate<'_>) -> Ranked {
    Ranked { id: candidate.agent.id, name: candidate.agent.name.clone(), score: candidate.score }
}
