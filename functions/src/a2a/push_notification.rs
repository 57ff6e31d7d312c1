//! `POST /a2a/push-notifications/{tenant}/{session}`: an agent that we called notifies us of a change. The body is not
//! read: the notification only makes the next observation due.

use axum::{
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
};
use shared::{
    a2a::service,
    agents::a2a_client::push_notification,
    app::App,
    kernel::error::{Code, Error},
};

use crate::http::problem::HandlerResult;

/// Receive a push notification
///
/// An A2A agent that works on a session notifies the platform of a change. The body is not read; the notification
/// makes the next observation of the session due. The token of the task authenticates the agent.
#[utoipa::path(post, path = "/api/v1/a2a/push-notifications/{tenant}/{session}", operation_id = "receive_push_notification", tag = "a2a", security(()),
    params(("tenant" = uuid::Uuid, Path, description = "The id of the tenant."), ("session" = uuid::Uuid, Path, description = "The id of the session."),
        ("X-A2A-Notification-Token" = Option<String>, Header, description = "The token that the agent was given with the task.")),
    responses((status = 204, description = "Accepted."), (status = 401, description = "The token does not match the session.")))]
pub(super) async fn receive(
    State(app): State<App>,
    Path((tenant, session)): Path<(String, String)>,
    headers: HeaderMap,
) -> HandlerResult<StatusCode> {
    let unknown = |_| Error::new(Code::Unauthenticated, "The token does not match this session.");
    let (tenant, session) = (tenant.parse().map_err(unknown)?, session.parse().map_err(unknown)?);
    let token = headers.get(push_notification::TOKEN_HEADER).and_then(|value| value.to_str().ok());
    service::receive_push_notification(&app, tenant, session, token).await?;
    Ok(StatusCode::NO_CONTENT)
}
