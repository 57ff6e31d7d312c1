//! `POST /sessions/{id}/retry`: brings back what failed, timed out or was stopped.

use axum::extract::State;
use shared::{app::App, session::service};

use crate::{
    problem::{Answer, Problems},
    reply::After,
    request::{Caller, Id, Member},
    sessions::view::SessionView,
};

#[utoipa::path(post, path = "/api/v1/sessions/{id}/retry", operation_id = "retry_session", tag = "sessions", params(("id" = uuid::Uuid, Path)),
    responses((status = 202, description = "It is pending; once started it goes on from its last checkpoint.", body = SessionView), Problems))]
pub(super) async fn retry(State(app): State<App>, caller: Caller<Member>, Id(id): Id) -> Answer<After> {
    Ok(After::of(&app, service::retry(&app, &caller, id).await?))
}
