//! `GET /tasks/{id}`: a task with the end of its history and what was made.

use a2a::Task;
use axum::{Json, extract::State};
use serde::Deserialize;
use shared::{
    a2a::{
        message::refused,
        service::{self, Shown},
    },
    app::App,
};
use utoipa::IntoParams;

use super::{
    refusal::{Answer, Refusals, Refused},
    request::{At, Base, TaskId},
};
use crate::request::{Query, Viewer};

#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(super) struct GetQuery {
    /// How many messages of the history at most; 100 when absent.
    #[param(value_type = Option<i32>, minimum = 0)]
    history_length: Option<String>,
}

/// A length of history as it may be asked for.
pub(super) fn history(text: Option<String>) -> Result<Option<i32>, Refused> {
    let number = text.filter(|text| !text.is_empty()).map(|text| text.parse().ok().filter(|n: &i32| *n >= 0));
    match number {
        None => Ok(None),
        Some(Some(number)) => Ok(Some(number)),
        Some(None) => Err(refused("historyLength", "is not a length").into()),
    }
}

#[utoipa::path(get, path = "/api/v1/a2a/{tenant}/tasks/{id}", operation_id = "a2a_get_task", tag = "a2a",
    params(("tenant" = String, Path, description = "The slug of the tenant."), ("id" = String, Path, description = "The task's id, which is the session's."), GetQuery),
    responses((status = 200, description = "The task.", body = Object), Refusals))]
pub(super) async fn get(
    State(app): State<App>,
    caller: At<Viewer>,
    TaskId(id): TaskId,
    Base(base): Base,
    Query(query): Query<GetQuery>,
) -> Answer<Json<Task>> {
    let found = service::get(&app, &caller, &id).await?;
    let shown = Shown { history: history(query.history_length)?, artifacts: true, base: &base };
    Ok(Json(service::show(&app, &caller, &found, shown).await?))
}
