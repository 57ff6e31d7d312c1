//! `POST /sessions/{id}/unqueue`: takes a waiting session out of the queue.

use axum::extract::State;
use shared::{app::App, session::service};

use crate::{
    problem::{Answer, Problems},
    reply::After,
    request::{Caller, Id, Member},
    sessions::view::SessionView,
};

#[utoipa::path(post, path = "/api/v1/sessions/{id}/unqueue", operation_id = "unqueue_session", tag = "sessions", params(("id" = uuid::Uuid, Path)),
    responses((status = 200, description = "It is pending again.", body = SessionView), Problems))]
pub(super) async fn unqueue(State(app): State<App>, caller: Caller<Member>, Id(id): Id) -> Answer<After> {
    Ok(After::of(&app, service::unqueue(&app, &caller, id).await?))
}
