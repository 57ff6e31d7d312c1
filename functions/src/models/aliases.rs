//! `/models/{name}/aliases/{alias}`: points an alias at a version, or removes it.

use axum::{Json as JsonResponse, extract::State, http::StatusCode};
use serde::Deserialize;
use shared::{
    app::App,
    kernel::error::Error,
    models::registry::{Version, service},
};
use utoipa::ToSchema;

use crate::{
    http::{
        problem::HandlerResult,
        request::{Caller, Json, Lead},
    },
    models::{named::OfAlias, view::MovedView},
};

/// The new target of an alias.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AliasTarget {
    /// The version that the alias points at from now on.
    #[schema(max_length = 100)]
    version: String,
}

/// Set an alias
///
/// Points an alias of a model at a version. Sessions that are dispatched later run on that version. Requires the role
/// lead.
#[utoipa::path(put, path = "/api/v1/models/{name}/aliases/{alias}", operation_id = "point_model_alias", tag = "models",
    request_body = AliasTarget, params(("name" = String, Path, description = "The name of the model."), ("alias" = String, Path, description = "The alias, such as `champion`.")),
    responses((status = 200, description = "The moved alias.", body = MovedView)))]
pub(super) async fn put(
    State(app): State<App>,
    caller: Caller<Lead>,
    OfAlias(name, alias): OfAlias,
    Json(sent): Json<AliasTarget>,
) -> HandlerResult<JsonResponse<MovedView>> {
    let version: Version = sent.version.parse().map_err(|why: String| Error::invalid_field("version", why))?;
    let moved = service::point_alias(&app, &caller, &name, &alias, &version).await?;
    Ok(JsonResponse(MovedView::of(&app, moved)?))
}

/// Delete an alias
///
/// Deletes an alias of a model. A rollback restores it. Requires the role lead.
#[utoipa::path(delete, path = "/api/v1/models/{name}/aliases/{alias}", operation_id = "remove_model_alias", tag = "models",
    params(("name" = String, Path, description = "The name of the model."), ("alias" = String, Path, description = "The alias, such as `champion`.")),
    responses((status = 204, description = "The alias was deleted.")))]
pub(super) async fn delete(
    State(app): State<App>,
    caller: Caller<Lead>,
    OfAlias(name, alias): OfAlias,
) -> HandlerResult<StatusCode> {
    service::remove_alias(&app, &caller, &name, &alias).await?;
    Ok(StatusCode::NO_CONTENT)
}
