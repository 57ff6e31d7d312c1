//! `POST /sessions/{id}/resume`: lets a paused session go on.

use axum::extract::State;
use shared::{app::App, session::service};

use crate::{
    problem::{Answer, Problems},
    reply::After,
    request::{Caller, Id, Member},
    sessions::view::SessionView,
};

#[utoipa::path(post, path = "/api/v1/sessions/{id}/resume", operation_id = "resume_session", tag = "sessions", params(("id" = uuid::Uuid, Path)),
    responses((status = 202, description = "It goes on at once, or waits for a slot.", body = SessionView), Problems))]
pub(super) async fn resume(State(app): State<App>, caller: Caller<Member>, Id(id): Id) -> Answer<After> {
    Ok(After::of(&app, service::resume(&app, &caller, id).await?))
}
