//! `GET /tasks`: a page of tasks, the last changed first.

use a2a::{ListTasksRequest, ListTasksResponse};
use axum::{Json, extract::State};
use chrono::DateTime;
use serde::Deserialize;
use serde_json::json;
use shared::{
    a2a::{message::refused, service},
    app::App,
};
use utoipa::IntoParams;

use super::{
    get::history,
    refusal::{Answer, Refusals, Refused},
    request::{At, Base},
};
use crate::request::{Query, Viewer};

#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(super) struct ListQuery {
    context_id: Option<String>,
    /// A state, such as `TASK_STATE_WORKING`.
    status: Option<String>,
    /// 1 to 100; 50 when absent.
    #[param(value_type = Option<i32>, minimum = 1, maximum = 100)]
    page_size: Option<String>,
    /// `nextPageToken` of the page before.
    page_token: Option<String>,
    /// How many messages of each history; none when absent.
    #[param(value_type = Option<i32>, minimum = 0)]
    history_length: Option<String>,
    /// Only what changed its state at this time or later (RFC 3339).
    #[param(format = DateTime)]
    status_timestamp_after: Option<String>,
    #[param(value_type = Option<bool>)]
    include_artifacts: Option<String>,
}

#[utoipa::path(get, path = "/api/v1/a2a/{tenant}/tasks", operation_id = "a2a_list_tasks", tag = "a2a",
    params(("tenant" = String, Path, description = "The slug of the tenant."), ListQuery),
    responses((status = 200, description = "A page of tasks.", body = Object), Refusals))]
pub(super) async fn list(
    State(app): State<App>,
    caller: At<Viewer>,
    Base(base): Base,
    Query(query): Query<ListQuery>,
) -> Answer<Json<ListTasksResponse>> {
    let request = parse(query)?;
    Ok(Json(service::list(&app, &caller, &request, &base).await?))
}

fn parse(query: ListQuery) -> Result<ListTasksRequest, Refused> {
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let status = given(query.status).filter(|word| word != "TASK_STATE_UNSPECIFIED");
    let status =
        status.map(|word| serde_json::from_value(json!(word)).map_err(|_| refused("status", "is no state of a task")));
    let size = given(query.page_size).map(|text| text.parse().map_err(|_| refused("pageSize", "must be 1 to 100")));
    let after = given(query.status_timestamp_after).map(|text| {
        let read = DateTime::parse_from_rfc3339(&text).map(|time| time.to_utc());
        read.map_err(|_| refused("statusTimestampAfter", "is not a time"))
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
