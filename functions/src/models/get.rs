//! `GET /models/{name}`: one model with its aliases.

use axum::{Json, extract::State};
use shared::{app::App, model::service};

use crate::{
    models::{named::OfModel, view::ModelView},
    problem::{Answer, Problems},
    request::{Caller, Viewer},
};

#[utoipa::path(get, path = "/api/v1/models/{name}", operation_id = "get_model", tag = "models", params(("name" = String, Path)),
    responses((status = 200, description = "The model.", body = ModelView), Problems))]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller<Viewer>,
    OfModel(name): OfModel,
) -> Answer<Json<ModelView>> {
    Ok(Json(service::get(&app, &caller, &name).await?.into()))
}
