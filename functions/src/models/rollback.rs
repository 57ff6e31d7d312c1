//! `POST /models/{name}/aliases/{alias}/rollback`: moves an alias back to its previous version.

use axum::{Json, extract::State};
use shared::{app::App, models::registry::service};

use crate::{
    http::{
        problem::HandlerResult,
        request::{Caller, Lead},
    },
    models::{named::OfAlias, view::MovedView},
};

/// Roll back an alias
///
/// Undoes the newest move of an alias that is not undone yet. Requires the role lead.
#[utoipa::path(post, path = "/api/v1/models/{name}/aliases/{alias}/rollback", operation_id = "roll_back_model_alias", tag = "models",
    params(("name" = String, Path, description = "The name of the model."), ("alias" = String, Path, description = "The alias, such as `champion`.")),
    responses((status = 200, description = "The moved alias.", body = MovedView)))]
pub(super) async fn rollback(
    State(app): State<App>,
    caller: Caller<Lead>,
    OfAlias(name, alias): OfAlias,
) -> HandlerResult<Json<MovedView>> {
    let moved = service::roll_back(&app, &caller, &name, &alias).await?;
    Ok(Json(MovedView::of(&app, moved)?))
}
