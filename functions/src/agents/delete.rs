//! `DELETE /agents/{id}`: removes an agent, after it has finished its sessions or at once.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use shared::{
    agents::registry::service::{self, RemovalOutcome},
    app::App,
    kernel::{error::ValidationErrors, id::AgentId},
};
use utoipa::IntoParams;

use crate::{
    agents::view::AgentView,
    http::{
        problem::HandlerResult,
        query::parse_one,
        request::{Caller, Lead, PathId, Query},
        version::{IfMatch, VersionedJson},
    },
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Leaving {
    /// Whether the agent is removed at once and its sessions move to other agents.
    #[param(value_type = Option<bool>)]
    force: Option<String>,
}

/// Delete an agent
///
/// Removes an agent of the caller's tenant. The agent finishes its sessions first; with `force` they move to other
/// agents at once. Requires the role lead.
#[utoipa::path(delete, path = "/api/v1/agents/{id}", operation_id = "delete_agent", tag = "agents",
    params(("id" = uuid::Uuid, Path, description = "The id of the agent."), ("If-Match" = Option<String>, Header, description = "The version that the caller expects to change."), Leaving),
    responses((status = 204, description = "The agent and its tokens were removed."),
        (status = 202, description = "The agent finishes its sessions and is removed then.", body = AgentView,
            headers(("ETag" = String, description = "The version of the object.")))))]
pub(super) async fn delete(
    State(app): State<App>,
    caller: Caller<Lead>,
    PathId(id): PathId<AgentId>,
    IfMatch(version): IfMatch,
    Query(query): Query<Leaving>,
) -> HandlerResult<Response> {
    let mut refusals = ValidationErrors::default();
    let force = parse_one(&mut refusals, "force", query.force, "must be true or false").unwrap_or(false);
    refusals.into_result()?;
    Ok(match service::remove_agent(&app, &caller, id, version, force).await? {
        RemovalOutcome::Removed => StatusCode::NO_CONTENT.into_response(),
        RemovalOutcome::Draining(shown) => {
            (StatusCode::ACCEPTED, VersionedJson(AgentView::from(*shown))).into_response()
        }
    })
}
