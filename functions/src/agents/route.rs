//! `POST /agents/route`: the agent that a session would get now, with the reasons. Changes nothing.

use axum::{Json as JsonResponse, extract::State};
use serde::{Deserialize, Serialize};
use shared::{
    agents::registry::{
        exclusion::ExclusionReason,
        requirements::RequirementsInput,
        route::{MAX_RUNNERS_UP, RoutingCandidate, Score, rank_agents},
        service,
    },
    app::App,
    kernel::{error::ValidationErrors, id::AgentId, session_type::SessionType},
    sessions::routing::complete_requirements,
};
use utoipa::ToSchema;

use crate::http::{
    problem::HandlerResult,
    request::{Caller, Json, Member},
};

/// The largest number of excluded agents in an answer.
const MOST_LEFT_OUT: usize = 100;

/// The requirements of a session. The same fields may be set in its `agent_config`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RouteRequest {
    /// The capabilities that the agent must have; see docs/agents.md.
    #[serde(default)]
    required_capabilities: Vec<String>,
    /// The skills that the agent must have.
    #[serde(default)]
    skills: Vec<String>,
    /// The agents that are preferred.
    #[serde(default)]
    preferred_agent_ids: Vec<String>,
    /// The type of agent that is preferred.
    preferred_agent_type: Option<String>,
    /// The lowest tier of the agent.
    minimum_tier: Option<String>,
    /// The type of the session, which prefers a type of agent where none is named. Default: `execution`.
    #[serde(default)]
    session_type: SessionType,
}

/// The result of routing.
#[derive(Serialize, ToSchema)]
pub(super) struct RouteAnswer {
    /// The agent that would get the session; null if the session would wait.
    chosen: Option<RankedAgent>,
    /// The next three candidates.
    runners_up: Vec<RankedAgent>,
    /// The first hundred agents that are not candidates, with the reason.
    left_out: Vec<ExcludedAgent>,
    /// The number of agents that are not candidates.
    left_out_count: usize,
}

/// A candidate with its score.
#[derive(Serialize, ToSchema)]
struct RankedAgent {
    /// The id of the agent.
    id: AgentId,
    /// The name of the agent.
    name: String,
    /// Whether the agent is on probation: it ranks behind all that are not.
    on_probation: bool,
    /// The score of the agent.
    score: Score,
}

/// An agent that is not a candidate.
#[derive(Serialize, ToSchema)]
struct ExcludedAgent {
    /// The id of the agent.
    id: AgentId,
    /// The name of the agent.
    name: String,
    #[serde(flatten)]
    why: ExclusionReason,
}

/// Find an agent
///
/// Returns which agent a session with these requirements would get now, with the scores of the candidates and the
/// reasons why others are none. Changes nothing.
#[utoipa::path(post, path = "/api/v1/agents/route", operation_id = "route_agents", tag = "agents", request_body = RouteRequest,
    responses((status = 200, description = "The chosen agent, the next candidates, and the agents that are not candidates.", body = RouteAnswer)))]
pub(super) async fn route(
    State(app): State<App>,
    caller: Caller<Member>,
    Json(new): Json<RouteRequest>,
) -> HandlerResult<JsonResponse<RouteAnswer>> {
    let input = RequirementsInput {
        required_capabilities: new.required_capabilities,
        skills: new.skills,
        preferred_agent_ids: new.preferred_agent_ids,
        preferred_agent_type: new.preferred_agent_type,
        minimum_tier: new.minimum_tier,
    };
    let mut refusals = ValidationErrors::default();
    let wanted = input.parse(&mut refusals, str::to_owned);
    refusals.into_result()?;
    let agents = service::list_visible(&app, &caller).await?;
    let wanted = complete_requirements(&app, &agents, wanted, new.session_type);
    let ranking = rank_agents(&agents, &wanted, None, app.clock.now());
    let mut candidates = ranking.candidates.iter().map(ranked);
    let refused = |(agent, why): &(&shared::agents::registry::Agent, ExclusionReason)| ExcludedAgent {
        id: agent.id,
        name: agent.name.clone(),
        why: why.clone(),
    };
    Ok(JsonResponse(RouteAnswer {
        chosen: candidates.next(),
        runners_up: candidates.take(MAX_RUNNERS_UP).collect(),
        left_out: ranking.left_out.iter().take(MOST_LEFT_OUT).map(refused).collect(),
        left_out_count: ranking.left_out.len(),
    }))
}

fn ranked(candidate: &RoutingCandidate<'_>) -> RankedAgent {
    let agent = candidate.agent;
    RankedAgent {
        id: agent.id,
        name: agent.name.clone(),
        on_probation: agent.is_on_probation(),
        score: candidate.score,
    }
}
