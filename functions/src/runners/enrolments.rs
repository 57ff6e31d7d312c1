//! `/runners/enrolments`: the valid enrolments of the tenant, and their end.

use axum::{Json, extract::State, http::StatusCode};
use serde::Deserialize;
use shared::{
    agents::runners::{enrolment::Enrolment, enrolments},
    app::App,
    kernel::{error::ValidationErrors, id::RunnerEnrolmentId},
};
use utoipa::IntoParams;

use crate::http::{
    problem::HandlerResult,
    query::{parse_limit, parse_one},
    request::{Caller, Lead, PathId, Query},
    response::Items,
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EnrolmentsQuery {
    /// The largest number of items in the page. Default: 50.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// The `next_cursor` of the previous page.
    #[param(format = Uuid)]
    cursor: Option<String>,
}

/// List enrolments
///
/// Returns the enrolments that are valid, newest first, without their tokens. Requires the role lead.
#[utoipa::path(get, path = "/api/v1/runners/enrolments", operation_id = "list_runner_enrolments", tag = "runners", params(EnrolmentsQuery),
    responses((status = 200, description = "A page of enrolments.", body = Items<Enrolment>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller<Lead>,
    Query(query): Query<EnrolmentsQuery>,
) -> HandlerResult<Json<Items<Enrolment>>> {
    let mut refusals = ValidationErrors::default();
    let limit = parse_limit(&mut refusals, query.limit);
    let before = parse_one(&mut refusals, "cursor", query.cursor, "is not a cursor of this list");
    refusals.into_result()?;
    let found = enrolments::list(&app, &caller, before, limit + 1).await?;
    Ok(Json(Items::page(found, limit, |last| last.id.to_string())))
}

/// Delete an enrolment
///
/// Ends an enrolment: no further runner enrols with its token. Runners that enrolled with it stay. Requires the role
/// lead.
#[utoipa::path(delete, path = "/api/v1/runners/enrolments/{id}", operation_id = "delete_runner_enrolment", tag = "runners",
    params(("id" = uuid::Uuid, Path, description = "The id of the enrolment.")),
    responses((status = 204, description = "The enrolment has ended.")))]
pub(super) async fn delete(
    State(app): State<App>,
    caller: Caller<Lead>,
    PathId(id): PathId<RunnerEnrolmentId>,
) -> HandlerResult<StatusCode> {
    enrolments::delete(&app, &caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
