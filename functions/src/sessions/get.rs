//! `GET /sessions/{id}`: one session.

use axum::extract::State;
use shared::{app::App, session::service};

use crate::{
    problem::{Answer, Problems},
    request::{Caller, Id, Viewer},
    sessions::view::SessionView,
    version::One,
};

#[utoipa::path(get, path = "/api/v1/sessions/{id}", operation_id = "get_session", tag = "sessions", params(("id" = uuid::Uuid, Path)),
    responses((status = 200, description = "The session.", body = SessionView,
        headers(("ETag" = String, description = "Its version."))), Problems))]
pub(super) async fn get(State(app): State<App>, caller: Caller<Viewer>, Id(id): Id) -> Answer<One<SessionView>> {
    let found = service::get(&app, &caller, id).await?;
    Ok(One(SessionView::of(&app, found)))
}
