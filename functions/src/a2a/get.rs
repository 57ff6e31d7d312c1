//! `GET /tasks/{id}`: a task with the end of its history and its artifacts.

use a2a::{A2AError, GetTaskRequest, Task};
use axum::{Json, extract::State};
use serde::Deserialize;
use shared::{
    a2a::{
        allowance::Allowance,
        field_error::invalid_field,
        service::{self, RenderOptions},
    },
    app::App,
    identity::auth::Caller as AuthenticatedCaller,
};
use utoipa::IntoParams;

use super::{
    refusal::{A2aError, HandlerResult},
    request::{At, Base, TaskId},
};
use crate::http::request::{Query, Viewer};

#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(super) struct GetQuery {
    /// The largest number of messages of the history. Default: 100 for one task, none in a list.
    #[param(value_type = Option<i32>, minimum = 0)]
    #[serde(alias = "history_length")]
    history_length: Option<String>,
}

/// A length of history as a query holds it.
pub(super) fn history(text: Option<String>) -> Result<Option<i32>, A2AError> {
    let number = text.filter(|text| !text.is_empty()).map(|text| text.parse());
    let number = number.transpose().map_err(|_| invalid_field("historyLength", "is not a length"))?;
    check_history(number)
}

/// Get a task
///
/// Returns a task with the end of its history and its artifacts.
#[utoipa::path(get, path = "/api/v1/a2a/{tenant}/tasks/{id}", operation_id = "a2a_get_task", tag = "a2a",
    params(("tenant" = String, Path, description = "The slug of the tenant."), ("id" = String, Path, description = "The id of the task, which is the id of the session."), GetQuery),
    responses((status = 200, description = "The task.", body = Object)))]
pub(super) async fn get(
    State(app): State<App>,
    caller: At<Viewer>,
    TaskId(id): TaskId,
    Base(base): Base,
    Query(query): Query<GetQuery>,
) -> HandlerResult<Json<Task>> {
    let request = GetTaskRequest { id, history_length: history(query.history_length)?, tenant: None };
    Ok(Json(find_task(&app, &caller, &base, &request).await?))
}

/// A task as it is.
pub(super) async fn find_task(
    app: &App,
    caller: &AuthenticatedCaller,
    base: &str,
    request: &GetTaskRequest,
) -> Result<Task, A2aError> {
    let history = check_history(request.history_length)?;
    let found = service::get(app, caller, &request.id).await?;
    let shown = RenderOptions { history, artifacts: true, base };
    Ok(service::render_task(app, caller, &found, shown, &mut Allowance::default()).await?)
}

/// A length of history that a request holds.
pub(super) fn check_history(length: Option<i32>) -> Result<Option<i32>, A2AError> {
    if length.is_some_and(|length| length < 0) {
        return Err(invalid_field("historyLength", "is not a length"));
    }
    Ok(length)
}
