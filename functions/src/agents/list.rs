//! `GET /agents`: the agents that the tenant sees, newest first.

use axum::{Json, extract::State};
use serde::Deserialize;
use shared::{
    agents::registry::{
        AgentType, Capability, Kind, Status,
        capability::is_skill,
        performance::Tier,
        service::{self, AgentListFilter},
        store::AgentFilter,
    },
    app::App,
    kernel::error::ValidationErrors,
};
use utoipa::IntoParams;

use crate::{
    agents::view::AgentView,
    http::{
        problem::HandlerResult,
        query::{parse_fragment, parse_limit, parse_list, parse_one},
        request::{Caller, Query, Viewer},
        response::Items,
    },
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AgentsQuery {
    /// Only these statuses, separated by commas.
    status: Option<String>,
    /// Only these kinds, separated by commas.
    kind: Option<String>,
    /// Only these types, separated by commas.
    agent_type: Option<String>,
    /// Only agents with any of these capabilities, separated by commas.
    capability: Option<String>,
    /// Only agents with any of these skills, separated by commas.
    skill: Option<String>,
    /// Only these tiers, separated by commas.
    tier: Option<String>,
    /// A part of the id, the name or the description.
    #[param(max_length = 200)]
    q: Option<String>,
    /// The largest number of items in the page. Default: 50.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// The `next_cursor` of the previous page.
    #[param(format = Uuid)]
    cursor: Option<String>,
}

/// List agents
///
/// Returns the agents that the tenant can use: its own, those of the platform, and those that it enabled in the
/// marketplace. The newest come first.
#[utoipa::path(get, path = "/api/v1/agents", operation_id = "list_agents", tag = "agents", params(AgentsQuery),
    responses((status = 200, description = "A page of agents.", body = Items<AgentView>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller<Viewer>,
    Query(query): Query<AgentsQuery>,
) -> HandlerResult<Json<Items<AgentView>>> {
    let mut refusals = ValidationErrors::default();
    let refused = &mut refusals;
    let rows = AgentFilter {
        kind: parse_list(refused, "kind", query.kind.as_deref(), Kind::parse),
        agent_type: parse_list(refused, "agent_type", query.agent_type.as_deref(), AgentType::parse),
        capability: parse_list(refused, "capability", query.capability.as_deref(), capability),
        skill: parse_list(refused, "skill", query.skill.as_deref(), skill),
        q: parse_fragment(refused, query.q),
    };
    let status = parse_list(refused, "status", query.status.as_deref(), Status::parse);
    let tier = parse_list(refused, "tier", query.tier.as_deref(), Tier::parse);
    let limit = parse_limit(refused, query.limit);
    let before = parse_one(refused, "cursor", query.cursor, "is not a cursor of this list");
    refusals.into_result()?;
    let found = service::list(&app, &caller, &AgentListFilter { rows, status, tier }, before, limit + 1).await?;
    let views = found.into_iter().map(AgentView::from).collect();
    Ok(Json(Items::page(views, limit, |last| last.id.to_string())))
}

/// A capability's name, if it is one.
pub(crate) fn capability(word: &str) -> Option<String> {
    word.parse::<Capability>().ok().map(|known| known.name().to_owned())
}

/// A skill, if it can be one.
pub(crate) fn skill(word: &str) -> Option<String> {
    is_skill(word).then(|| word.to_owned())
}
