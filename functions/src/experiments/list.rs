//! `GET /experiments`: the experiments of the tenant, newest first.

use axum::{Json, extract::State};
use serde::Deserialize;
use shared::{
    app::App,
    kernel::error::ValidationErrors,
    models::experiments::{ExperimentStatus, service},
};
use utoipa::IntoParams;

use crate::{
    experiments::view::ExperimentView,
    http::{
        problem::HandlerResult,
        query::{parse_limit, parse_list, parse_one},
        request::{Caller, Query, Viewer},
        response::Items,
    },
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ExperimentsQuery {
    /// Only these statuses, separated by commas.
    status: Option<String>,
    /// The largest number of items in the page. Default: 50.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// The `next_cursor` of the previous page.
    #[param(format = Uuid)]
    cursor: Option<String>,
}

/// List experiments
///
/// Returns the experiments of the tenant, newest first.
#[utoipa::path(get, path = "/api/v1/experiments", operation_id = "list_experiments", tag = "experiments", params(ExperimentsQuery),
    responses((status = 200, description = "A page of experiments.", body = Items<ExperimentView>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller<Viewer>,
    Query(query): Query<ExperimentsQuery>,
) -> HandlerResult<Json<Items<ExperimentView>>> {
    let mut refused = ValidationErrors::default();
    let status = parse_list(&mut refused, "status", query.status.as_deref(), ExperimentStatus::parse);
    let limit = parse_limit(&mut refused, query.limit);
    let before = parse_one(&mut refused, "cursor", query.cursor, "is not a cursor of this list");
    refused.into_result()?;
    let found = service::list(&app, &caller, &status, before, limit + 1).await?;
    let views = found.into_iter().map(ExperimentView::from).collect();
    Ok(Json(Items::page(views, limit, |last| last.id.to_string())))
}
