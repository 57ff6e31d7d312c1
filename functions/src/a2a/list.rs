//! `GET /tasks`: a page of tasks, the most recently changed first.

use a2a::{A2AError, ListTasksRequest, ListTasksResponse};
use axum::{Json, extract::State};
use chrono::DateTime;
use serde::Deserialize;
use serde_json::json;
use shared::{
    a2a::{field_error::invalid_field, service},
    app::App,
};
use utoipa::IntoParams;

use super::{
    get::history,
    refusal::HandlerResult,
    request::{At, Base},
};
use crate::http::request::{Query, Viewer};

#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(super) struct ListQuery {
    /// Only tasks of this context.
    #[serde(alias = "context_id")]
    context_id: Option<String>,
    /// Only tasks in this state, such as `TASK_STATE_WORKING`.
    status: Option<String>,
    /// The largest number of tasks in the page, 1 to 100. Default: 50.
    #[param(value_type = Option<i32>, minimum = 1, maximum = 100)]
    #[serde(alias = "page_size")]
    page_size: Option<String>,
    /// The `nextPageToken` of the previous page.
    #[serde(alias = "page_token")]
    page_token: Option<String>,
    /// The largest number of messages of the history. Default: 100 for one task, none in a list.
    #[param(value_type = Option<i32>, minimum = 0)]
    #[serde(alias = "history_length")]
    history_length: Option<String>,
    /// Only tasks whose state changed at this time or later (RFC 3339).
    #[param(format = DateTime)]
    #[serde(alias = "status_timestamp_after")]
    status_timestamp_after: Option<String>,
    /// Whether the tasks include their artifacts. Default: false.
    #[param(value_type = Option<bool>)]
    #[serde(alias = "include_artifacts")]
    include_artifacts: Option<String>,
}

/// List tasks
///
/// Returns a page of the tenant's tasks, the last changed first.
#[utoipa::path(get, path = "/api/v1/a2a/{tenant}/tasks", operation_id = "a2a_list_tasks", tag = "a2a",
    params(("tenant" = String, Path, description = "The slug of the tenant."), ListQuery),
    responses((status = 200, description = "A page of tasks.", body = Object)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: At<Viewer>,
    Base(base): Base,
    Query(query): Query<ListQuery>,
) -> HandlerResult<Json<ListTasksResponse>> {
    let request = parse(query)?;
    Ok(Json(service::list(&app, &caller, &request, &base).await?))
}

fn parse(query: ListQuery) -> Result<ListTasksRequest, A2AError> {
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let status = given(query.status).filter(|word| word != "TASK_STATE_UNSPECIFIED");
    let status = status
        .map(|word| serde_json::from_value(json!(word)).map_err(|_| invalid_field("status", "is no state of a task")));
    let size =
        given(query.page_size).map(|text| text.parse().map_err(|_| invalid_field("pageSize", "must be 1 to 100")));
    let after = given(query.status_timestamp_after).map(|text| {
        let read = DateTime::parse_from_rfc3339(&text).map(|time| time.to_utc());
        read.map_err(|_| invalid_field("statusTimestampAfter", "is not a time"))
    });
    Ok(ListTasksRequest {
        context_id: given(query.context_id),
        status: status.transpose()?,
        page_size: size.transpose()?,
        page_token: given(query.page_token),
        history_length: history(query.history_length)?,
        status_timestamp_after: after.transpose()?,
        include_artifacts: given(query.include_artifacts).map(|text| text.eq_ignore_ascii_case("true")),
        tenant: None,
    })
}
