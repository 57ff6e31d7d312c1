//! `GET /fine-tuning/datasets`: the datasets of the tenant, newest first.

use axum::{Json, extract::State};
use serde::Deserialize;
use shared::{app::App, kernel::error::ValidationErrors, training::datasets::service};
use utoipa::IntoParams;

use crate::{
    datasets::view::DatasetView,
    http::{
        problem::HandlerResult,
        query::{parse_limit, parse_one},
        request::{Caller, Query, Viewer},
        response::Items,
    },
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DatasetsQuery {
    /// Only datasets of this training job.
    #[param(format = Uuid)]
    job_id: Option<String>,
    /// The largest number of items in the page. Default: 50.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// The `next_cursor` of the previous page.
    #[param(format = Uuid)]
    cursor: Option<String>,
}

/// List datasets
///
/// Returns the datasets of the tenant, newest first.
#[utoipa::path(get, path = "/api/v1/fine-tuning/datasets", operation_id = "list_datasets", tag = "fine-tuning", params(DatasetsQuery),
    responses((status = 200, description = "A page of datasets.", body = Items<DatasetView>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller<Viewer>,
    Query(query): Query<DatasetsQuery>,
) -> HandlerResult<Json<Items<DatasetView>>> {
    let mut refusals = ValidationErrors::default();
    let job_id = parse_one(&mut refusals, "job_id", query.job_id, "is not a uuid");
    let limit = parse_limit(&mut refusals, query.limit);
    let before = parse_one(&mut refusals, "cursor", query.cursor, "is not a cursor of this list");
    refusals.into_result()?;
    let found = service::list(&app, &caller, job_id, before, limit + 1).await?;
    let views = found.into_iter().map(DatasetView::from).collect();
    Ok(Json(Items::page(views, limit, |last| last.id.to_string())))
}
