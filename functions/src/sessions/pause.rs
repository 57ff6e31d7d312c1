//! `POST /sessions/{id}/pause`: holds a running session.

use axum::extract::State;
use shared::{app::App, session::service};

use crate::{
    problem::{Answer, Problems},
    reply::After,
    request::{Caller, Id, Member, OptionalJson},
    sessions::{reason::Reason, view::SessionView},
};

#[utoipa::path(post, path = "/api/v1/sessions/{id}/pause", operation_id = "pause_session", tag = "sessions", params(("id" = uuid::Uuid, Path)),
    request_body = Option<Reason>, responses((status = 202, description = "The agent is brought to rest first.", body = SessionView), Problems))]
pub(super) async fn pause(
    State(app): State<App>,
    caller: Caller<Member>,
    Id(id): Id,
    OptionalJson(reason): OptionalJson<Reason>,
) -> Answer<After> {
    let reason = reason.checked()?;
    Ok(After::of(&app, service::pause(&app, &caller, id, reason).await?))
}
