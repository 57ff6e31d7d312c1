//! `GET /fine-tuning/datasets`: what was made of sessions so far, newest first.

use axum::{Json, extract::State};
use serde::Deserialize;
use shared::{app::App, dataset::service, error::Refusals};
use utoipa::IntoParams;

use crate::{
    datasets::view::DatasetView,
    problem::{Answer, Problems},
    query::{limit, one},
    reply::Items,
    request::{Caller, Query, Viewer},
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DatasetsQuery {
    /// Only those of this job.
    #[param(format = Uuid)]
    job_id: Option<String>,
    /// How many at most, 50 when absent.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// `next_cursor` of the page before.
    #[param(format = Uuid)]
    cursor: Option<String>,
}

#[utoipa::path(get, path = "/api/v1/fine-tuning/datasets", operation_id = "list_datasets", tag = "fine-tuning", params(DatasetsQuery),
    responses((status = 200, description = "A page of them.", body = Items<DatasetView>), Problems))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller<Viewer>,
    Query(query): Query<DatasetsQuery>,
) -> Answer<Json<Items<DatasetView>>> {
    let mut refusals = Refusals::default();
    let job_id = one(&mut refusals, "job_id", query.job_id, "is not a uuid");
    let limit = limit(&mut refusals, query.limit);
    let before = one(&mut refusals, "cursor", query.cursor, "is not a cursor of this list");
    refusals.finish()?;
    let found = service::list(&app, &caller, job_id, before, limit + 1).await?;
    let views = found.into_iter().map(DatasetView::from).collect();
    Ok(Json(Items::page(views, limit, |last| last.id.to_string())))
}
