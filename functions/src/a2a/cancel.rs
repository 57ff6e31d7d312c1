//! `POST /tasks/{id}:cancel`: cancels a task.

use std::time::Duration;

use a2a::Task;
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
    refusal::{A2aError, HandlerResult},
    request::{At, Base, TaskId},
};
use crate::http::request::Member;

/// How long the agent is waited for that has to rest first.
const REST: Duration = Duration::from_secs(5);

/// Cancel a task
///
/// Cancels a task and waits up to 5 seconds for its agent to stop.
#[utoipa::path(post, path = "/api/v1/a2a/{tenant}/tasks/{id}:cancel", operation_id = "a2a_cancel_task", tag = "a2a",
    params(("tenant" = String, Path, description = "The slug of the tenant."), ("id" = String, Path, description = "The id of the task, which is the id of the session.")),
    responses((status = 200, description = "The task with its current state.", body = Object)))]
pub(super) async fn cancel(
    State(app): State<App>,
    caller: At<Member>,
    TaskId(id): TaskId,
    Base(base): Base,
) -> HandlerResult<Json<Task>> {
    Ok(Json(cancel_task(&app, &caller, &base, &id).await?))
}

/// Cancels a task, and waits a moment for its agent.
pub(super) async fn cancel_task(
    app: &App,
    caller: &AuthenticatedCaller,
    base: &str,
    id: &str,
) -> Result<Task, A2aError> {
    let asked = service::cancel_task(app, caller, id).await?;
    let found = service::wait_until_rest(app, caller, asked.session.id, REST).await?;
    let shown = RenderOptions { history: None, artifacts: true, base };
    Ok(service::render_task(app, caller, &found, shown, &mut Allowance::default()).await?)
}
