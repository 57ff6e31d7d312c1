//! `POST /models/{name}/aliases/{alias}/rollback`: an alias goes back to where it was before its last move.

use axum::{Json, extract::State};
use shared::{app::App, model::service};

use crate::{
    models::{named::OfAlias, view::MovedView},
    problem::{Answer, Problems},
    request::{Caller, Lead},
};

#[utoipa::path(post, path = "/api/v1/models/{name}/aliases/{alias}/rollback", operation_id = "roll_back_model_alias", tag = "models",
    params(("name" = String, Path), ("alias" = String, Path)),
    responses((status = 200, description = "Its newest move is undone; called again, the one before it.", body = MovedView), Problems))]
pub(super) async fn rollback(
    State(app): State<App>,
    caller: Caller<Lead>,
    OfAlias(name, alias): OfAlias,
) -> Answer<Json<MovedView>> {
    let moved = service::roll_back(&app, &caller, &name, &alias).await?;
    Ok(Json(MovedView::of(&app, moved)?))
}
