//! `POST /sessions/{id}/stop`: ends what runs.

use axum::extract::State;
use shared::{app::App, session::service};

use crate::{
    problem::{Answer, Problems},
    reply::After,
    request::{Caller, Id, Member, OptionalJson},
    sessions::{reason::Reason, view::SessionView},
};

#[utoipa::path(post, path = "/api/v1/sessions/{id}/stop", operation_id = "stop_session", tag = "sessions", params(("id" = uuid::Uuid, Path)),
    request_body = Option<Reason>, responses((status = 200, description = "It is stopped.", body = SessionView), (status = 202, description = "The agent is brought to rest first.", body = SessionView), Problems))]
pub(super) async fn stop(
    State(app): State<App>,
    caller: Caller<Member>,
    Id(id): Id,
    OptionalJson(reason): OptionalJson<Reason>,
) -> Answer<After> {
    let reason = reason.checked()?;
    Ok(After::of(&app, service::stop(&app, &caller, id, reason).await?))
}
