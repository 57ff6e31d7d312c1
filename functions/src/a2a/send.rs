//! `POST /message:send`: creates a session from a message, or sends the message to one. A repetition has no effect.

use std::time::Duration;

use a2a::{A2AError, SendMessageRequest, SendMessageResponse};
use axum::{Json, extract::State};
use shared::{
    a2a::{
        allowance::Allowance,
        service::{self, RenderOptions},
    },
    app::App,
    identity::auth::Caller as AuthenticatedCaller,
};

use super::{
    get::check_history,
    refusal::{A2aError, HandlerResult},
    request::{At, Base, SendRequest},
};
use crate::http::request::Member;

/// How long a call is kept waiting for the end of a task, and how much of a call's time is left for its answer.
const LONGEST: Duration = Duration::from_secs(20);
const SPARE: Duration = Duration::from_secs(5);

/// Send a message
///
/// Creates a session from a message, or adds the message to the session that it names, and waits up to 20 seconds for
/// the task to end or to need input. A repetition with the same message id has no effect.
#[utoipa::path(post, path = "/api/v1/a2a/{tenant}/message:send", operation_id = "a2a_send_message", tag = "a2a",
    params(("tenant" = String, Path, description = "The slug of the tenant.")), request_body = Object,
    responses((status = 200, description = "The task with its current state.", body = Object)))]
pub(super) async fn send(
    State(app): State<App>,
    caller: At<Member>,
    Base(base): Base,
    SendRequest(said): SendRequest,
) -> HandlerResult<Json<SendMessageResponse>> {
    Ok(Json(send_message(&app, &caller, &base, &said).await?))
}

/// Accepts a message and waits for its task, if the client wants to wait.
pub(super) async fn send_message(
    app: &App,
    caller: &AuthenticatedCaller,
    base: &str,
    said: &SendMessageRequest,
) -> Result<SendMessageResponse, A2aError> {
    let wanted = said.configuration.as_ref();
    let history = check_history(wanted.and_then(|wanted| wanted.history_length))?;
    check_configuration(said)?;
    let id = service::accept_message(app, caller, &said.message).await?;
    let at_once = wanted.and_then(|wanted| wanted.return_immediately) == Some(true);
    let most = if at_once { Duration::ZERO } else { LONGEST.min(app.settings.request_time.saturating_sub(SPARE)) };
    let found = service::wait_until_rest(app, caller, id, most).await?;
    let shown = RenderOptions { history, artifacts: true, base };
    let task = service::render_task(app, caller, &found, shown, &mut Allowance::default()).await?;
    Ok(SendMessageResponse::Task(task))
}

/// Refuses what a message asks for and would not get.
pub(super) fn check_configuration(said: &SendMessageRequest) -> Result<(), A2AError> {
    let asks_for_pushes =
        said.configuration.as_ref().is_some_and(|wanted| wanted.task_push_notification_config.is_some());
    if asks_for_pushes { Err(A2AError::push_notification_not_supported()) } else { Ok(()) }
}
