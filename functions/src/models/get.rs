//! `GET /models/{name}`: one model with its aliases.

use axum::{Json, extract::State};
use shared::{app::App, models::registry::service};

use crate::{
    http::{
        problem::HandlerResult,
        request::{Caller, Viewer},
    },
    models::{named::OfModel, view::ModelView},
};

/// Get a model
///
/// Returns one model with its aliases.
#[utoipa::path(get, path = "/api/v1/models/{name}", operation_id = "get_model", tag = "models", params(("name" = String, Path, description = "The name of the model.")),
    responses((status = 200, description = "The model.", body = ModelView)))]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller<Viewer>,
    OfModel(name): OfModel,
) -> HandlerResult<Json<ModelView>> {
    Ok(Json(service::get(&app, &caller, &name).await?.into()))
}
