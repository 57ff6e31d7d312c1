//! `DELETE /agents/{id}`: an agent leaves, once it has finished what it has or at once.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use shared::{
    agent::service::{self, Left},
    app::App,
    error::Refusals,
    id::AgentId,
};
use utoipa::IntoParams;

use crate::{
    agents::view::AgentView,
    problem::{Answer, Problems},
    query::one,
    request::{Caller, Lead, Named, Query},
    version::{IfMatch, One},
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Leaving {
    /// True: at once; what runs on it goes elsewhere.
    #[param(value_type = Option<bool>)]
    force: Option<String>,
}

#[utoipa::path(delete, path = "/api/v1/agents/{id}", operation_id = "delete_agent", tag = "agents",
    params(("id" = uuid::Uuid, Path), ("If-Match" = Option<String>, Header, description = "The version that is to go."), Leaving),
    responses((status = 204, description = "It is gone, and its tokens with it."),
        (status = 202, description = "It finishes what it has, gets nothing new, and goes then.", body = AgentView,
            headers(("ETag" = String, description = "Its version."))), Problems))]
pub(super) async fn delete(
    State(app): State<App>,
    caller: Caller<Lead>,
    Named(id): Named<AgentId>,
    IfMatch(version): IfMatch,
    Query(query): Query<Leaving>,
) -> Answer<Response> {
    let mut refusals = Refusals::default();
    let force = one(&mut refusals, "force", query.force, "must be true or false").unwrap_or(false);
    refusals.finish()?;
    Ok(match service::remove(&app, &caller, id, version, force).await? {
        Left::Gone => StatusCode::NO_CONTENT.into_response(),
        Left::Draining(shown) => (StatusCode::ACCEPTED, One(AgentView::from(*shown))).into_response(),
    })
}
