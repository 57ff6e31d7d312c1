//! `DELETE /sessions/{id}`: removes a session that is not active, with all that belongs to it.

use axum::{extract::State, http::StatusCode};
use shared::{app::App, session::service};

use crate::{
    problem::{Answer, Problems},
    request::{Caller, Id, Member},
};

#[utoipa::path(delete, path = "/api/v1/sessions/{id}", operation_id = "delete_session", tag = "sessions", params(("id" = uuid::Uuid, Path)),
    responses((status = 204, description = "It is gone."), Problems))]
pub(super) async fn delete(State(app): State<App>, caller: Caller<Member>, Id(id): Id) -> Answer<StatusCode> {
    service::remove(&app, &caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
