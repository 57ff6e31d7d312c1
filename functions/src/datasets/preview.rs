//! `POST /fine-tuning/datasets/preview`: what a recipe would give; nothing is written.

use axum::extract::State;
use shared::{
    app::App,
    dataset::{
        recipe::{Raw, Recipe},
        service::{self, Preview},
    },
};

use crate::{
    problem::{Answer, Problems},
    request::{Caller, Json, Lead},
};

#[utoipa::path(post, path = "/api/v1/fine-tuning/datasets/preview", operation_id = "preview_dataset", tag = "fine-tuning", request_body = Raw,
    responses((status = 200, description = "What it would give, of the newest 2000 completed sessions at most.", body = Preview), Problems))]
pub(super) async fn preview(
    State(app): State<App>,
    caller: Caller<Lead>,
    Json(raw): Json<Raw>,
) -> Answer<axum::Json<Preview>> {
    let recipe = Recipe::parse(raw)?;
    Ok(axum::Json(service::preview(&app, &caller, &recipe).await?))
}
