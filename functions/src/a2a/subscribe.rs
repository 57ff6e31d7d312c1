//! `POST /tasks/{id}:subscribe`: a task that has not ended, with its updates as a stream.

use a2a::A2AError;
use axum::{extract::State, response::Response};
use shared::{
    a2a::{service, state_of},
    app::App,
    identity::auth::Caller as AuthenticatedCaller,
};

use super::{
    refusal::HandlerResult,
    request::{At, Base, TaskId},
    stream::{Envelope, frames},
};
use crate::http::request::Member;

/// Subscribe to a task
///
/// Streams a task that has not ended, with its updates until it ends or needs input. Not supported behind API
/// Gateway.
#[utoipa::path(post, path = "/api/v1/a2a/{tenant}/tasks/{id}:subscribe", operation_id = "a2a_subscribe_to_task", tag = "a2a",
    params(("tenant" = String, Path, description = "The slug of the tenant."), ("id" = String, Path, description = "The id of the task, which is the id of the session.")),
    responses((status = 200, description = "The task and its updates as Server-Sent Events.", body = String, content_type = "text/event-stream")))]
pub(super) async fn subscribe(
    State(app): State<App>,
    caller: At<Member>,
    TaskId(id): TaskId,
    Base(base): Base,
) -> HandlerResult<Response> {
    subscribe_to_task(app, (*caller).clone(), &base, &id, Envelope::Plain).await
}

/// Streams a task that has not ended.
pub(super) async fn subscribe_to_task(
    app: App,
    caller: AuthenticatedCaller,
    base: &str,
    id: &str,
    envelope: Envelope,
) -> HandlerResult<Response> {
    let found = service::get(&app, &caller, id).await?;
    if state_of(&found.session).is_terminal() {
        return Err(A2AError::unsupported_operation("The task is over: nothing comes any more.").into());
    }
    frames(app, caller, found, base, envelope).await
}
