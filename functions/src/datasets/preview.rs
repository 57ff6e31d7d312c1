//! `POST /fine-tuning/datasets/preview`: the result of a recipe, without storing it.

use axum::extract::State;
use shared::{
    app::App,
    training::datasets::{
        recipe::{Recipe, RecipeInput},
        service::{self, Preview},
    },
};

use crate::http::{
    problem::HandlerResult,
    request::{Caller, Json, Lead},
};

/// Preview a dataset
///
/// Returns the dataset that a recipe would make from the newest 2000 completed sessions at most. Stores nothing.
/// Requires the role lead.
#[utoipa::path(post, path = "/api/v1/fine-tuning/datasets/preview", operation_id = "preview_dataset", tag = "fine-tuning", request_body = RecipeInput,
    responses((status = 200, description = "The preview.", body = Preview)))]
pub(super) async fn preview(
    State(app): State<App>,
    caller: Caller<Lead>,
    Json(raw): Json<RecipeInput>,
) -> HandlerResult<axum::Json<Preview>> {
    let recipe = Recipe::parse(raw)?;
    Ok(axum::Json(service::preview_recipe(&app, &caller, &recipe).await?))
}
