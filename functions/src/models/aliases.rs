//! `/models/{name}/aliases/{alias}`: points an alias at a version, or takes it away.

use axum::{Json as Shown, extract::State, http::StatusCode};
use serde::Deserialize;
use shared::{
    app::App,
    error::Error,
    model::{Version, service},
};
use utoipa::ToSchema;

use crate::{
    models::{named::OfAlias, view::MovedView},
    problem::{Answer, Problems},
    request::{Caller, Json, Lead},
};

/// Where an alias is to point.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AliasTarget {
    #[schema(max_length = 100)]
    version: String,
}

#[utoipa::path(put, path = "/api/v1/models/{name}/aliases/{alias}", operation_id = "point_model_alias", tag = "models",
    request_body = AliasTarget, params(("name" = String, Path), ("alias" = String, Path, description = "Such as champion.")),
    responses((status = 200, description = "It points there. Sessions that are dispatched from now on run on it.", body = MovedView), Problems))]
pub(super) async fn put(
    State(app): State<App>,
    caller: Caller<Lead>,
    OfAlias(name, alias): OfAlias,
    Json(sent): Json<AliasTarget>,
) -> Answer<Shown<MovedView>> {
    let version: Version = sent.version.parse().map_err(|why: String| Error::field("version", why))?;
    let moved = service::point(&app, &caller, &name, &alias, &version).await?;
    Ok(Shown(MovedView::of(&app, moved)?))
}

#[utoipa::path(delete, path = "/api/v1/models/{name}/aliases/{alias}", operation_id = "remove_model_alias", tag = "models",
    params(("name" = String, Path), ("alias" = String, Path)),
    responses((status = 204, description = "It is gone. A rollback brings it back."), Problems))]
pub(super) async fn delete(
    State(app): State<App>,
    caller: Caller<Lead>,
    OfAlias(name, alias): OfAlias,
) -> Answer<StatusCode> {
    service::remove(&app, &caller, &name, &alias).await?;
    Ok(StatusCode::NO_CONTENT)
}
