//! `GET /.well-known/agent-card.json` of a tenant's agent: public. There is no other card for authenticated clients.

use a2a::A2AError;
use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use shared::{
    a2a::{
        card::{self, BASE},
        service::find_active_tenant,
    },
    app::App,
    kernel::error::Error,
};

use super::{
    refusal::HandlerResult,
    request::{At, Base},
};
use crate::http::request::Viewer;

/// Get the agent card
///
/// Returns the public A2A agent card of a tenant, which describes its agent and the transports that it supports.
#[utoipa::path(get, path = "/api/v1/a2a/{tenant}/.well-known/agent-card.json", operation_id = "a2a_agent_card", tag = "a2a", security(()),
    params(("tenant" = String, Path, description = "The slug of the tenant.")),
    responses((status = 200, description = "The agent card.", body = Object, headers(("ETag" = String, description = "The version of the card."))),
        (status = 304, description = "The card is the one that `If-None-Match` names."), (status = 404, description = "The tenant does not exist.")))]
pub(super) async fn card(
    State(app): State<App>,
    Path(named): Path<String>,
    Base(base): Base,
    headers: HeaderMap,
) -> HandlerResult<Response> {
    let (_, slug) = find_active_tenant(&app, &named).await?;
    let described = card::agent_card(&format!("{base}{BASE}/{slug}"), &slug, app.settings.streams);
    // As a value, whose fields have one order: the card holds maps.
    let card = serde_json::to_value(described).map_err(Error::from)?;
    let tag = card::entity_tag(&card);
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let is_known = known.is_some_and(|known| known.split(',').any(|one| one.trim() == tag || one.trim() == "*"));
    let tag = HeaderValue::from_str(&tag).map_err(Error::internal)?;
    let caching = [(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=60")), (header::ETAG, tag)];
    if is_known {
        return Ok((StatusCode::NOT_MODIFIED, caching).into_response());
    }
    Ok((caching, Json(card)).into_response())
}

/// The error of the protocol for an agent that has no card for authenticated clients.
pub(super) fn no_extended_card() -> A2AError {
    A2AError::unsupported_operation("There is no extended card: the public one says everything.")
}

/// Get the extended agent card
///
/// There is no extended card, as the agent card states. The operation exists to answer with the error of the protocol.
#[utoipa::path(get, path = "/api/v1/a2a/{tenant}/extendedAgentCard", operation_id = "a2a_extended_card", tag = "a2a",
    params(("tenant" = String, Path, description = "The slug of the tenant.")),
    responses((status = 200, description = "Never returned.")))]
pub(super) async fn extended(_: At<Viewer>) -> HandlerResult<()> {
    Err(no_extended_card().into())
}
