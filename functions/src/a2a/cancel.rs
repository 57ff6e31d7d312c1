//! `POST /tasks/{id}:cancel`: calls a task off.

use std::time::Duration;

use a2a::Task;
use axum::{Json, extract::State};
use shared::{
    a2a::service::{self, Shown},
    app::App,
};

use super::{
    refusal::{Answer, Refusals},
    request::{At, Base, TaskId},
};
use crate::request::Member;

/// How long the agent is waited for that has to rest first.
const REST: Duration = Duration::from_secs(5);

#[utoipa::path(post, path = "/api/v1/a2a/{tenant}/tasks/{id}:cancel", operation_id = "a2a_cancel_task", tag = "a2a",
    params(("tenant" = String, Path, description = "The slug of the tenant."), ("id" = String, Path, description = "The task's id, which is the session's.")),
    responses((status = 200, description = "The task as it stands; an agent may take a moment to rest.", body = Object), Refusals))]
pub(super) async fn cancel(
    State(app): State<App>,
    caller: At<Member>,
    TaskId(id): TaskId,
    Base(base): Base,
) -> Answer<Json<Task>> {
    let asked = service::cancel(&app, &caller, &id).await?;
    let found = service::wait(&app, &caller, asked.session.id, REST).await?;
    let shown = Shown { history: None, artifacts: true, base: &base };
    Ok(Json(service::show(&app, &caller, &found, shown).await?))
}
