//! `POST /sessions/{id}/checkpoints/{sequence}/restore`: back to pending, to go on from there once started.

use axum::extract::State;
use shared::{app::App, session::service};

use crate::{
    problem::{Answer, Problems},
    reply::After,
    request::{Caller, CheckpointOf, Member},
    sessions::view::SessionView,
};

#[utoipa::path(post, path = "/api/v1/sessions/{id}/checkpoints/{sequence}/restore", operation_id = "restore_session_checkpoint", tag = "sessions",
    params(("id" = uuid::Uuid, Path), ("sequence" = i32, Path, minimum = 1)),
    responses((status = 202, description = "It is pending; once started it goes on from this checkpoint.", body = SessionView), Problems))]
pub(super) async fn restore(
    State(app): State<App>,
    caller: Caller<Member>,
    CheckpointOf(id, sequence): CheckpointOf,
) -> Answer<After> {
    Ok(After::of(&app, service::restore(&app, &caller, id, sequence).await?))
}
