//! `POST /message:send`: makes a session of a message, or says it to one; once, however often it comes.

use std::time::Duration;

use a2a::SendMessageResponse;
use axum::{Json, extract::State};
use shared::{
    a2a::service::{self, Shown},
    app::App,
};

use super::{
    refusal::{Answer, Refusals},
    request::{At, Base, Said},
};
use crate::request::Member;

/// How long a call is kept waiting for the end of a task, and how much of a call's time is left for its answer.
const LONGEST: Duration = Duration::from_secs(20);
const SPARE: Duration = Duration::from_secs(5);

#[utoipa::path(post, path = "/api/v1/a2a/{tenant}/message:send", operation_id = "a2a_send_message", tag = "a2a",
    params(("tenant" = String, Path, description = "The slug of the tenant.")), request_body = Object,
    responses((status = 200, description = "The task as it stands.", body = Object), Refusals))]
pub(super) async fn send(
    State(app): State<App>,
    caller: At<Member>,
    Base(base): Base,
    Said(said): Said,
) -> Answer<Json<SendMessageResponse>> {
    let id = service::take(&app, &caller, &said.message).await?;
    let wanted = said.configuration.as_ref();
    let at_once = wanted.and_then(|wanted| wanted.return_immediately) == Some(true);
    let most = if at_once { Duration::ZERO } else { LONGEST.min(app.settings.request_time.saturating_sub(SPARE)) };
    let found = service::wait(&app, &caller, id, most).await?;
    let shown = Shown { history: wanted.and_then(|wanted| wanted.history_length), artifacts: true, base: &base };
    Ok(Json(SendMessageResponse::Task(service::show(&app, &caller, &found, shown).await?)))
}
