//! `POST /sessions/{id}/cancel`: calls off what has not run, or is held.

use axum::extract::State;
use shared::{app::App, session::service};

use crate::{
    problem::{Answer, Problems},
    reply::After,
    request::{Caller, Id, Member, OptionalJson},
    sessions::{reason::Reason, view::SessionView},
};

#[utoipa::path(post, path = "/api/v1/sessions/{id}/cancel", operation_id = "cancel_session", tag = "sessions", params(("id" = uuid::Uuid, Path)),
    request_body = Option<Reason>, responses((status = 200, description = "It is cancelled.", body = SessionView), Problems))]
pub(super) async fn cancel(
    State(app): State<App>,
    caller: Caller<Member>,
    Id(id): Id,
    OptionalJson(reason): OptionalJson<Reason>,
) -> Answer<After> {
    let reason = reason.checked()?;
    Ok(After::of(&app, service::cancel(&app, &caller, id, reason).await?))
}
