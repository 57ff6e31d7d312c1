//! `POST /sessions/{id}/start`: asks a pending session to run.

use axum::extract::State;
use shared::{app::App, session::service};

use crate::{
    problem::{Answer, Problems},
    reply::After,
    request::{Caller, Id, Member},
    sessions::view::SessionView,
};

#[utoipa::path(post, path = "/api/v1/sessions/{id}/start", operation_id = "start_session", tag = "sessions", params(("id" = uuid::Uuid, Path)),
    responses((status = 202, description = "It is queued, and runs when its turn comes.", body = SessionView), Problems))]
pub(super) async fn start(State(app): State<App>, caller: Caller<Member>, Id(id): Id) -> Answer<After> {
    Ok(After::of(&app, service::start(&app, &caller, id).await?))
}
