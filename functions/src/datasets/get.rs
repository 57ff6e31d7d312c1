//! `GET /fine-tuning/datasets/{id}`: one dataset.

use axum::{Json, extract::State};
use shared::{app::App, kernel::id::DatasetId, training::datasets::service};

use crate::{
    datasets::view::DatasetView,
    http::{
        problem::HandlerResult,
        request::{Caller, PathId, Viewer},
    },
};

/// Get a dataset
///
/// Returns one dataset with its recipe and figures.
#[utoipa::path(get, path = "/api/v1/fine-tuning/datasets/{id}", operation_id = "get_dataset", tag = "fine-tuning", params(("id" = uuid::Uuid, Path, description = "The id of the dataset.")),
    responses((status = 200, description = "The dataset.", body = DatasetView)))]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller<Viewer>,
    PathId(id): PathId<DatasetId>,
) -> HandlerResult<Json<DatasetView>> {
    Ok(Json(service::get(&app, &caller, id).await?.into()))
}
