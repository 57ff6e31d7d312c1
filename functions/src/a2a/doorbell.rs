//! `POST /doorbells/{tenant}/{session}`: an agent that we called says that there is news. What it says is not read: the agent
//! is looked at sooner, that is all.

use axum::{
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
};
use shared::{
    a2a::service,
    app::App,
    error::{Code, Error},
    runtime::a2a::doorbell,
};

use crate::problem::{Answer, Problems};

#[utoipa::path(post, path = "/api/v1/doorbells/{tenant}/{session}", operation_id = "ring_doorbell", tag = "a2a", security(()),
    params(("tenant" = uuid::Uuid, Path), ("session" = uuid::Uuid, Path),
        ("X-A2A-Notification-Token" = Option<String>, Header, description = "What the agent was told to send along.")),
    responses((status = 204, description = "Heard."), Problems))]
pub(super) async fn ring(
    State(app): State<App>,
    Path((tenant, session)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer<StatusCode> {
    let unknown = |_| Error::new(Code::Unauthenticated, "This is not the token of the doorbell.");
    let (tenant, session) = (tenant.parse().map_err(unknown)?, session.parse().map_err(unknown)?);
    let token = headers.get(doorbell::TOKEN).and_then(|value| value.to_str().ok());
    service::ring(&app, tenant, session, token).await?;
    Ok(StatusCode::NO_CONTENT)
}
