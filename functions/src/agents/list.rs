//! `GET /agents`: the agents that the tenant sees, newest first.

use axum::{Json, extract::State};
use serde::Deserialize;
use shared::{
    agent::{
        AgentType, Capability, Kind, Status,
        capability::is_skill,
        service::{self, Filter},
        standing::Tier,
        store,
    },
    app::App,
    error::Refusals,
};
use utoipa::IntoParams;

use crate::{
    agents::view::AgentView,
    problem::{Answer, Problems},
    query::{fragment, limit, one, words},
    reply::Items,
    request::{Caller, Query, Viewer},
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AgentsQuery {
    /// One or more, separated by commas: healthy, degraded, busy, offline.
    status: Option<String>,
    /// One or more, separated by commas.
    kind: Option<String>,
    /// One or more, separated by commas.
    agent_type: Option<String>,
    /// One or more, separated by commas; an agent that has any of them.
    capability: Option<String>,
    /// One or more, separated by commas; an agent that has any of them.
    skill: Option<String>,
    /// One or more, separated by commas.
    tier: Option<String>,
    /// A fragment of the id, the name or the description.
    #[param(max_length = 200)]
    q: Option<String>,
    /// How many at most, 50 when absent.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// `next_cursor` of the page before.
    #[param(format = Uuid)]
    cursor: Option<String>,
}

#[utoipa::path(get, path = "/api/v1/agents", operation_id = "list_agents", tag = "agents", params(AgentsQuery),
    responses((status = 200, description = "A page of them.", body = Items<AgentView>), Problems))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller<Viewer>,
    Query(query): Query<AgentsQuery>,
) -> Answer<Json<Items<AgentView>>> {
    let mut refusals = Refusals::default();
    let refused = &mut refusals;
    let rows = store::Filter {
        kind: words(refused, "kind", query.kind.as_deref(), Kind::parse),
        agent_type: words(refused, "agent_type", query.agent_type.as_deref(), AgentType::parse),
        capability: words(refused, "capability", query.capability.as_deref(), capability),
        skill: words(refused, "skill", query.skill.as_deref(), skill),
        q: fragment(refused, query.q),
    };
    let status = words(refused, "status", query.status.as_deref(), Status::parse);
    let tier = words(refused, "tier", query.tier.as_deref(), Tier::parse);
    let limit = limit(refused, query.limit);
    let before = one(refused, "cursor", query.cursor, "is not a cursor of this list");
    refusals.finish()?;
    let found = service::list(&app, &caller, &Filter { rows, status, tier }, before, limit + 1).await?;
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
