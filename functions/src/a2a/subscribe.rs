//! `POST /tasks/{id}:subscribe`: a task that is under way, and all that comes.

use a2a::A2AError;
use axum::{extract::State, response::Response};
use shared::{
    a2a::{service, state_of},
    app::App,
};

use super::{
    refusal::{Answer, Refusals},
    request::{At, Base, TaskId},
    stream::frames,
};
use crate::request::Member;

#[utoipa::path(post, path = "/api/v1/a2a/{tenant}/tasks/{id}:subscribe", operation_id = "a2a_subscribe_to_task", tag = "a2a",
    params(("tenant" = String, Path, description = "The slug of the tenant."), ("id" = String, Path, description = "The task's id, which is the session's.")),
    responses((status = 200, description = "The task, then its updates until it rests.", body = String, content_type = "text/event-stream"), Refusals))]
pub(super) async fn subscribe(
    State(app): State<App>,
    caller: At<Member>,
    TaskId(id): TaskId,
    Base(base): Base,
) -> Answer<Response> {
    let found = service::get(&app, &caller, &id).await?;
    if state_of(&found.session).is_terminal() {
        return Err(A2AError::unsupported_operation("The task is over: nothing comes any more.").into());
    }
    frames(app, (*caller).clone(), found, base).await
}
