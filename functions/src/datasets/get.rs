//! `GET /fine-tuning/datasets/{id}`: one dataset.

use axum::{Json, extract::State};
use shared::{app::App, dataset::service, id::DatasetId};

use crate::{
    datasets::view::DatasetView,
    problem::{Answer, Problems},
    request::{Caller, Named, Viewer},
};

#[utoipa::path(get, path = "/api/v1/fine-tuning/datasets/{id}", operation_id = "get_dataset", tag = "fine-tuning", params(("id" = uuid::Uuid, Path)),
    responses((status = 200, description = "The dataset.", body = DatasetView), Problems))]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller<Viewer>,
    Named(id): Named<DatasetId>,
) -> Answer<Json<DatasetView>> {
    Ok(Json(service::get(&app, &caller, id).await?.into()))
}
